/** A database in pieces: what each layer provides, what it asks for, and how it says that something is wrong. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { ConfigError, ConfigProvider, Context, Effect, Config as EffectConfig, Layer } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"

const named = serve((response, { headers }) => json(response, [{ name: headers["authorization"] }]))

const who = Effect.map(
  Db.read((client) => client.from("who").select("name")),
  ([row]) => row?.["name"]
)

const fromMap = (entries: Readonly<Record<string, string>>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries))))

describe("Db.layerRead", () => {
  it.scopedLive("reads with the anon key alone, on one pool that has all connections", () =>
    Effect.gen(function* () {
      const { url } = yield* named
      const read = Db.layerRead({ url, anonKey, minConnections: 1, maxConnections: 7 })
      const context = yield* Layer.build(read)
      expect(yield* Effect.provide(who, context)).toBe(`Bearer ${anonKey}`)
      const { max, pool } = yield* Context.get(context, Pool.ReadPool).metrics
      expect([pool, max]).toEqual(["read", 7])
    })
  )

  it.scopedLive("provides nothing that writes, to the compiler and when it runs", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* named
      const context = yield* Layer.build(Db.layerRead({ url, anonKey, minConnections: 1 }))
      expectTypeOf(context).toEqualTypeOf<Context.Context<Db.ProvidedRead>>()
      expectTypeOf<Extract<Db.ProvidedRead, Db.Db | Pool.WritePool>>().toEqualTypeOf<never>()
      const all = Context.unsafeMake<Db.Provided>(context.unsafeMap)
      expect(Context.getOption(all, Db.Db)._tag).toBe("None")
      expect(Context.getOption(all, Pool.WritePool)._tag).toBe("None")
      const refused = yield* Effect.flip(
        Effect.provide(
          Db.read((client) => client.from("who").insert({})),
          context
        )
      )
      expect(refused._tag).toBe("ReadOnlyConnection")
      expect(seen).toHaveLength(0)
    })
  )

  it.scopedLive("is configured by an environment that has no service-role key, or does not look at it", () =>
    Effect.gen(function* () {
      const { url } = yield* named
      const environment = { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey, DB_POOL_MIN_CONNECTIONS: "1" }
      for (const more of [{}, { SUPABASE_SERVICE_ROLE_KEY: serviceRoleKey }]) {
        const read = Layer.provide(Db.layerReadFromEnv, fromMap({ ...environment, ...more }))
        expect(yield* Effect.provide(who, read)).toBe(`Bearer ${anonKey}`)
      }
    })
  )

  it.effect("says what is wrong, and does not ask for the other key", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Db.layerRead({ url: "nowhere", anonKey: "" }))))
      expect(error.mistakes.map(({ variable }) => variable)).toEqual(["url", "anonKey"])
      const swapped = Db.layerRead({ url: "http://127.0.0.1:9", anonKey: "sb_secret_never-printed" })
      const refused = yield* Effect.flip(Effect.scoped(Layer.build(swapped)))
      expect(refused.message).toContain("a service-role key where the anon key belongs")
    })
  )
})

describe("Db.layerConfig", () => {
  const config = {
    url: EffectConfig.string("THE_URL"),
    anonKey: EffectConfig.redacted("THE_ANON_KEY"),
    serviceRoleKey: EffectConfig.redacted("THE_SERVICE_KEY"),
    minConnections: EffectConfig.succeed(1),
    maxConnections: EffectConfig.integer("THE_CONNECTIONS").pipe(EffectConfig.withDefault(4))
  }

  it.scopedLive("takes its values from Configs", () =>
    Effect.gen(function* () {
      const { url } = yield* named
      const environment = fromMap({ THE_URL: url, THE_ANON_KEY: anonKey, THE_SERVICE_KEY: serviceRoleKey })
      const [name, pool] = yield* Effect.provide(
        Effect.all([who, Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics)]),
        Layer.provide(Db.layerConfig(config), environment)
      )
      expect(name).toBe(`Bearer ${anonKey}`)
      expect(pool.max).toBe(2)
    })
  )

  it.effect("fails with ConfigError, whether a value is missing or wrong, and shows no key", () =>
    Effect.gen(function* () {
      const built = (entries: Readonly<Record<string, string>>) =>
        Effect.flip(Effect.scoped(Layer.build(Layer.provide(Db.layerConfig(config), fromMap(entries)))))
      const missing = yield* built({ THE_URL: "http://127.0.0.1:9" })
      expectTypeOf(missing).toEqualTypeOf<ConfigError.ConfigError>()
      expect(String(missing)).toContain("THE_ANON_KEY")
      const wrong = yield* built({
        THE_URL: "nowhere",
        THE_ANON_KEY: "a-never-printed",
        THE_SERVICE_KEY: "a-never-printed"
      })
      expect(ConfigError.isConfigError(wrong)).toBe(true)
      expect(String(wrong)).toContain("at url: ")
      expect(String(wrong)).toContain('at anonKey: "the same key as serviceRoleKey')
      expect(String(wrong)).not.toContain("never-printed")
    })
  )

  it("makes each mistake of a ConfigInvalid a part of a ConfigError", () => {
    const mistakes = ["A", "B", "C"].map((variable) => ({
      variable,
      problem: `${variable} is wrong`,
      remedy: "fix it"
    }))
    const { configError } = new Config.ConfigInvalid({ mistakes })
    for (const { problem, variable } of mistakes)
      expect(String(configError)).toContain(`at ${variable}: "${problem}; fix it`)
    expect(ConfigError.isConfigError(new Config.ConfigInvalid({ mistakes: [] }).configError)).toBe(true)
  })
})
