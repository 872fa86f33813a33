/** As many databases as there are layers, each asked by its own tag, whatever they are built in. */
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, FastCheck as fc, Layer, ManagedRuntime, Schema, Stream } from "effect"
import type { ConfigInvalid } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { createDatabase } from "../../src/promise.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"
import { eachShows } from "../support/reliability.js"

eachShows("Laws of the pool")

interface Described {
  public: {
    Tables: {
      who: { Row: { id: number; name: string }; Insert: { name: string }; Update: { name?: string }; Relationships: [] }
    }
    Views: Record<never, never>
    Functions: { who: { Args: never; Returns: string } }
  }
}

const Who = Schema.Struct({ id: Schema.Number, name: Schema.String })

/** Answers every question with its name. */
const named = (name: string) => (request: Request) => {
  const { pathname } = new URL(request.url)
  if (pathname.endsWith("/rpc/who")) return Response.json(name)
  if (pathname.includes("/rpc/")) return Response.json({ replayed: false, results: [[{ name }]] })
  const row = { id: 1, name }
  const one = request.headers.get("accept")?.includes("object") === true
  return Response.json(one ? row : [row])
}

class Archive extends Db.make<Described>()("Archive") {}
type ArchiveReader = Db.ReadOf<"Archive", Described>
class Shop extends Db.make<Described>()("Shop") {}
class Ledger extends Db.make<Described>()("Ledger") {}

/** By every way there is. */
const everyWay = <Name extends string>(tag: Db.OwnDatabase<Name, Described>) => {
  const table = tag.table("who", Who)
  const firstOf = (rows: ReadonlyArray<{ readonly name: string }>) => rows[0]?.name
  return Effect.all([
    Effect.map(
      tag.read((client) => client.from("who").select("name")),
      firstOf
    ),
    Effect.map(
      tag.read((client) => client.from("who").select("name"), { as: "service" }),
      firstOf
    ),
    Effect.map(
      tag.write((client) => client.from("who").insert({ name: "" }).select("name")),
      firstOf
    ),
    Effect.map(
      tag.readAs(Schema.Array(Who), (client) => client.from("who").select()),
      firstOf
    ),
    Effect.map(
      tag.writeAs(Who, (client) => client.from("who").insert({ name: "" }).select().single()),
      ({ name }) => name
    ),
    Effect.map(
      tag.response((client) => client.from("who").select("name")),
      ({ data }) => firstOf(data)
    ),
    tag.rpc("who"),
    tag.rpc("who", undefined, { get: true }),
    tag.rpcAs(Schema.String, "who"),
    Effect.map(tag.transaction([(client) => client.from("who").select("name")]), ([rows]) => firstOf(rows)),
    Effect.map(
      Stream.runCollect(
        Stream.take(
          tag.stream((client) => client.from("who").select("name").limit(1)),
          1
        )
      ),
      (rows) => firstOf([...rows])
    ),
    Effect.map(table.get(1), ({ name }) => name),
    Effect.map(table.list(), firstOf),
    Effect.map(table.create({ id: 1, name: "" }), ({ name }) => name),
    Effect.flatMap(tag, (db) => Effect.map(db.table("who", Who).list(), firstOf)),
    Effect.flatMap(tag.ReadDb, (db) => Effect.map(db.table("who", Who).get(1), ({ name }) => name)),
    Effect.flatMap(tag.ReadDb, (db) => db.rpc("who"))
  ])
}

const isOnly = (name: string) => (answers: ReadonlyArray<unknown>) => expect(new Set(answers)).toEqual(new Set([name]))

const whoIs = Effect.map(
  Db.read((client) => client.from("who").select("name")),
  ([row]) => row?.["name"]
)

const nameOf = (db: Db.Reader<Described>) =>
  Effect.map(
    db.read((client) => client.from("who").select("name")),
    ([row]) => row?.name
  )

type Numbered = `Database${number}`

/** What is left to provide is known when it runs only. */
type Asking = Effect.Effect<unknown, unknown, Db.ReadOf<Numbered, Described>>

const ways = ["merged", "nested", "runtime", "calls"] as const

const orders = fc.integer({ min: 2, max: 6 }).chain((n) =>
  fc.shuffledSubarray(
    Array.from({ length: n }, (_, i) => i),
    { minLength: 2 }
  )
)

const inRuntime = async <A, R>(layer: Layer.Layer<R, unknown>, effect: Effect.Effect<A, unknown, R>): Promise<A> => {
  const runtime = ManagedRuntime.make(layer)
  const asked = await runtime.runPromise(effect)
  await runtime.dispose()
  return asked
}

describe("databases of tags of their own", () => {
  it.effect("are each asked by every operation of its tag, beside the one of Db", () =>
    Effect.gen(function* () {
      const graph = Layer.mergeAll(
        Archive.layerTest(named("archive")),
        Shop.layerTest(named("shop")),
        Ledger.layerTest(named("ledger")),
        Db.layerTest(named("db"))
      )
      const all = Effect.all([everyWay(Archive), everyWay(Shop), everyWay(Ledger), whoIs])
      const [archive, shop, ledger, db] = yield* Effect.provide(all, graph)
      isOnly("archive")(archive)
      isOnly("shop")(shop)
      isOnly("ledger")(ledger)
      expect(db).toBe("db")
    })
  )

  it.effect("are as many as there are layers, in whatever order and however they are provided", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(orders, fc.constantFrom(...ways), async (order, how) => {
          const tags = order.map((n) => Db.make<Described>()(`Database${n}`))
          const layers = tags.map((tag) => tag.layerTest(named(tag.key)))
          const ask = Effect.forEach(tags, (tag) =>
            Effect.map(
              tag.read((client) => client.from("who").select("name")),
              ([row]) => row?.name
            )
          )
          const merged = layers.reduce((all, one) => Layer.merge(one, all))
          const nested = () => layers.reduce<Asking>((effect, layer) => Effect.provide(effect, layer), ask)
          const asked = {
            merged: () => Effect.runPromise(Effect.provide(ask, merged)),
            nested: () => Effect.runPromise(Effect.provide(nested(), merged)),
            runtime: () => inRuntime(merged, ask),
            // A service for each, which has nothing left to need.
            calls: () =>
              inRuntime(
                merged,
                Effect.flatMap(Effect.all(tags), (dbs) => Effect.forEach(dbs, nameOf))
              )
          }
          expect(await asked[how]()).toEqual(tags.map(({ key }) => key))
        }),
        { numRuns: 20 }
      )
    )
  )

  it.layer(Archive.layerTest(named("outer")))("outside", (it) => {
    it.layer(Archive.layerTest(named("inner")))("and within", (it) => {
      it.effect("nested in a spec are those of the innermost layer", () =>
        Effect.map(everyWay(Archive), isOnly("inner"))
      )
    })
    it.effect("outside of a nested one stay what they were", () => Effect.map(everyWay(Archive), isOnly("outer")))
  })

  it.scopedLive(
    "are no other than they were beside createDatabase of the Promise API, Db.layerOf and their own layerOf",
    () =>
      Effect.gen(function* () {
        const urls = yield* Effect.forEach(["archive", "shop", "db", "promise"], (name) =>
          Effect.map(
            serve((response) => json(response, [{ name }])),
            ({ url }) => ({ url, anonKey, serviceRoleKey, minConnections: 1 })
          )
        )
        const [archive, shop, db, promise] = urls
        if (archive === undefined || shop === undefined || db === undefined || promise === undefined)
          return expect.fail()
        const own = yield* Effect.acquireRelease(
          Effect.sync(() => createDatabase(promise)),
          ({ close }) => Effect.promise(() => close())
        )
        const graph = Layer.mergeAll(Archive.layerOf(archive), Shop.layerOf(shop), Db.layerOf(db))
        const names = yield* Effect.provide(
          Effect.all([
            Effect.flatMap(Archive, nameOf),
            Effect.flatMap(Shop, nameOf),
            whoIs,
            Effect.promise(() =>
              own.executeWithPool((client) =>
                client
                  .from("who")
                  .select("name")
                  .then(({ data }) => data?.[0]?.["name"])
              )
            )
          ]),
          graph
        )
        expect(names).toEqual(["archive", "shop", "db", "promise"])
      })
  )

  it.scopedLive("are configured each by the ConfigProvider that they are given", () =>
    Effect.gen(function* () {
      const variables = yield* Effect.forEach(["ARCHIVE", "SHOP"], (name) =>
        Effect.map(
          serve((response) => json(response, [{ name }])),
          ({ url }): ReadonlyArray<readonly [string, string]> => [
            [`${name}_SUPABASE_URL`, url],
            [`${name}_SUPABASE_ANON_KEY`, anonKey],
            [`${name}_SUPABASE_SERVICE_ROLE_KEY`, serviceRoleKey]
          ]
        )
      )
      const environment = ConfigProvider.fromMap(new Map(variables.flat()), { pathDelim: "_" })
      const from = (name: string) => Layer.setConfigProvider(ConfigProvider.nested(environment, name))
      const graph = Layer.merge(
        Layer.provide(Archive.layerFromEnv, from("ARCHIVE")),
        Layer.provide(Shop.layerFromEnv, from("SHOP"))
      )
      const names = yield* Effect.provide(
        Effect.all([Effect.flatMap(Archive, nameOf), Effect.flatMap(Shop, nameOf)]),
        graph
      )
      expect(names).toEqual(["ARCHIVE", "SHOP"])
    })
  )

  it.scopedLive("read with a layer of their own that has no service-role key and provides nothing that writes", () =>
    Effect.gen(function* () {
      const read = Effect.fn(function* (layer: (url: string) => Layer.Layer<ArchiveReader, ConfigInvalid>) {
        const { seen, url } = yield* serve((response, { headers }) =>
          json(response, [{ name: headers["authorization"] }])
        )
        const context = yield* Layer.build(layer(url))
        expect(Context.getOption(Context.unsafeMake<Archive>(context.unsafeMap), Archive)._tag).toBe("None")
        const refused = yield* Effect.flip(
          Effect.provide(
            Archive.read((client) => client.from("who").insert({ name: "" })),
            context
          )
        )
        expect(refused._tag).toBe("ReadOnlyConnection")
        const name = yield* Effect.provide(Effect.flatMap(Archive.ReadDb, nameOf), context)
        expect(seen).toHaveLength(1)
        return name
      }, Effect.scoped)
      const environment = (url: string) =>
        Layer.setConfigProvider(
          ConfigProvider.fromMap(
            new Map([
              ["SUPABASE_URL", url],
              ["SUPABASE_ANON_KEY", anonKey],
              ["DB_POOL_MIN_CONNECTIONS", "1"]
            ])
          )
        )
      const anon = `Bearer ${anonKey}`
      expect(yield* read((url) => Archive.layerRead({ url, anonKey, minConnections: 1 }))).toBe(anon)
      expect(yield* read((url) => Layer.provide(Archive.layerReadFromEnv, environment(url)))).toBe(anon)
    })
  )

  it.effect("stand for the one of Db where they are provided as it, with their own pool", () =>
    Effect.gen(function* () {
      const asDb = Layer.provideMerge(Archive.layerAsDb, Archive.layerTest(named("archive")))
      const [name, pool] = yield* Effect.provide(Effect.all([whoIs, Pool.ReadPool]), asDb)
      expect(name).toBe("archive")
      expect((yield* pool.metrics).acquired).toBe(1)
    })
  )
})

describe("two tags of one name", () => {
  const Twin = Db.make<Described>()("Archive")

  it.effect("are refused while both are open at different places, with both in the error", () =>
    Effect.gen(function* () {
      const config = { anonKey, serviceRoleKey, minConnections: 1 }
      const graph = Layer.merge(
        Archive.layerOf({ ...config, url: "http://127.0.0.1:9" }),
        Twin.layerOf({ ...config, url: "http://127.0.0.1:10" })
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(graph)))
      expect(error._tag).toBe("ConfigInvalid")
      expect(error.message).toContain('Db.make("Archive")')
      expect(error.message).toContain("http://127.0.0.1:9 and http://127.0.0.1:10")
      const reading = Layer.merge(
        Archive.layerRead({ url: "http://127.0.0.1:9", anonKey, minConnections: 1 }),
        Twin.layerOf({ ...config, url: "http://127.0.0.1:10" })
      )
      expect((yield* Effect.flip(Effect.scoped(Layer.build(reading)))).message).toContain('Db.make("Archive")')
      const tests = Layer.merge(Archive.layerTest(named("a")), Twin.layerTest(named("b")))
      expect((yield* Effect.flip(Effect.scoped(Layer.build(tests)))).message).toContain("a handler")
    })
  )

  it.effect("are one where they are of one place, as a module is that a bundler has twice", () =>
    Effect.gen(function* () {
      const handler = named("same")
      const graph = Layer.merge(Archive.layerTest(handler), Twin.layerTest(handler))
      const name = yield* Effect.provide(Effect.flatMap(Twin, nameOf), graph)
      expect(name).toBe("same")
    })
  )

  it.effect("are no trouble one after the other", () =>
    Effect.gen(function* () {
      for (const [tag, name] of [
        [Archive, "a"],
        [Twin, "b"]
      ] as const) {
        expect(yield* Effect.provide(Effect.flatMap(tag, nameOf), tag.layerTest(named(name)))).toBe(name)
      }
    })
  )

  it("are refused without a name", () => {
    expect(() => Db.make<Described>()(" ")).toThrow('Db.make: " " is no name')
  })
})

describe("a token", () => {
  const bearer = (request: Request) => Response.json([{ name: request.headers.get("authorization") }])
  const graph = Layer.mergeAll(Archive.layerTest(bearer), Shop.layerTest(bearer), Db.layerTest(bearer))
  const who = Effect.all([Effect.flatMap(Archive, nameOf), Effect.flatMap(Shop, nameOf), whoIs])
  const anon = "Bearer test-anon-key"

  it.effect("of one database is sent to no other", () =>
    Effect.gen(function* () {
      expect(yield* who.pipe(Archive.withAccessToken("a"))).toEqual(["Bearer a", anon, anon])
      expect(yield* who.pipe(Archive.withAccessToken("a"), Shop.withAccessToken("s"))).toEqual([
        "Bearer a",
        "Bearer s",
        anon
      ])
    }).pipe(Effect.provide(graph))
  )

  it.effect("of Db is that of all that have none of their own, also in tables and streams", () =>
    Effect.gen(function* () {
      const asked = yield* who.pipe(Archive.withAccessToken("a"), Db.withAccessToken("d"))
      expect(asked).toEqual(["Bearer a", "Bearer d", "Bearer d"])
      const within = yield* who.pipe(Db.withAccessToken("d"), Archive.withAccessToken("a"))
      expect(within).toEqual(["Bearer a", "Bearer d", "Bearer d"])
      const table = Archive.table("who", Schema.Struct({ name: Schema.String }), { key: "name", as: "service" })
      const listed = Effect.map(table.list(), ([row]) => row?.name)
      expect(yield* listed.pipe(Archive.withAccessToken("a"))).toBe("Bearer a")
      expect(yield* listed).toBe("Bearer test-service-role-key")
      const rows = Archive.stream((client) => client.from("who").select("name").limit(1)).pipe(
        Archive.withAccessToken("a")
      )
      expect([...(yield* Stream.runCollect(rows))]).toEqual([{ name: "Bearer a" }])
    }).pipe(Effect.provide(graph))
  )

  it.effect("stays with what was made under it, by tag and by service, and runs outside of it", () =>
    Effect.gen(function* () {
      const db = yield* Archive
      const made = yield* Effect.sync(() => [
        Archive.read((client) => client.from("who").select("name"), { as: "service" }),
        Archive.read((client) => client.from("who").select("name")),
        db.read((client) => client.from("who").select("name")),
        db.readAs(Schema.Array(Schema.Struct({ name: Schema.String })), (client) => client.from("who").select("name"))
      ]).pipe(Archive.withAccessToken("a"))
      const names = yield* Effect.map(Effect.all(made), (all) => all.map(([row]) => row?.name))
      expect(names).toEqual(["Bearer test-service-role-key", "Bearer a", "Bearer a", "Bearer a"])
    }).pipe(Effect.provide(graph))
  )
})
