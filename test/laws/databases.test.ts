/** Each call that makes a database makes another one, whatever graph of layers they meet in. */

import { FetchHttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, ManagedRuntime, type Scope } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import * as RateLimit from "../../src/RateLimit.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"
import { eachShows } from "../support/reliability.js"

eachShows("Laws of the pool")

const whose = Effect.map(
  Db.read((client) => client.from("who").select("name")),
  ([row]) => row?.["name"]
)

class Shop extends Context.Tag("test/Shop")<Shop, Effect.Effect<unknown>>() {}
class Archive extends Context.Tag("test/Archive")<Archive, Effect.Effect<unknown>>() {}

/** A service that asks its own database. */
const asking = <I>(tag: Context.Tag<I, Effect.Effect<unknown>>) =>
  Layer.effect(
    tag,
    Effect.map(Effect.context<Db.ReadDb>(), (context) => Effect.orDie(Effect.provide(whose, context)))
  )

const both = Effect.all([Effect.flatten(Shop), Effect.flatten(Archive)])

const named = (name: string) => Db.layerTest(() => Response.json([{ name }]))

describe("databases", () => {
  it.scopedLive("of Db.layerOf in one graph of layers are as many as there are calls", () =>
    Effect.gen(function* () {
      const servers = yield* Effect.forEach(["shop", "archive"], (name) =>
        serve((response) => json(response, [{ name }]))
      )
      const [shop, archive] = servers.map(({ url }) => Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1 }))
      if (shop === undefined || archive === undefined) return expect.fail("two servers")
      const graph = Layer.merge(Layer.provide(asking(Shop), shop), Layer.provide(asking(Archive), archive))
      expect(yield* Effect.provide(both, graph)).toEqual(["shop", "archive"])
    })
  )

  it.effect("of Db.layerTest in one graph of layers are as many as there are calls", () =>
    Effect.gen(function* () {
      const graph = Layer.merge(
        Layer.provide(asking(Shop), named("shop")),
        Layer.provide(asking(Archive), named("archive"))
      )
      expect(yield* Effect.provide(both, graph)).toEqual(["shop", "archive"])
    })
  )

  it.effect("of one runtime are as many as there are calls", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(Layer.provide(asking(Shop), named("shop")))
      const other = ManagedRuntime.make(Layer.provide(asking(Archive), named("archive")), runtime.memoMap)
      expect(await runtime.runPromise(Effect.flatten(Shop))).toBe("shop")
      expect(await other.runPromise(Effect.flatten(Archive))).toBe("archive")
      await other.dispose()
      await runtime.dispose()
    })
  )

  it.effect("that are the same value are one, with one pool", () =>
    Effect.gen(function* () {
      const database = named("shop")
      const pools = yield* Effect.provide(
        Effect.all([Effect.flatten(Shop), Effect.flatten(Archive), Pool.ReadPool]),
        Layer.mergeAll(Layer.provide(asking(Shop), database), Layer.provide(asking(Archive), database), database)
      )
      expect(pools.slice(0, 2)).toEqual(["shop", "shop"])
      const [, , pool] = pools
      expect((yield* pool.metrics).acquired).toBe(2)
    })
  )

  it.layer(named("outer"))("outside", (it) => {
    it.layer(named("inner"))("and within it", (it) => {
      it.effect("nested in a spec are as many as there are calls", () =>
        Effect.gen(function* () {
          expect(yield* whose).toBe("inner")
        })
      )
    })
    it.effect("outside of a nested one stay what they were", () =>
      Effect.gen(function* () {
        expect(yield* whose).toBe("outer")
      })
    )
  })
})

const envOf = (url: string) =>
  Layer.setConfigProvider(
    ConfigProvider.fromMap(
      new Map([
        ["SUPABASE_URL", url],
        ["SUPABASE_ANON_KEY", anonKey],
        ["SUPABASE_SERVICE_ROLE_KEY", serviceRoleKey],
        ["DB_POOL_MIN_CONNECTIONS", "1"]
      ])
    )
  )

const twoServers = Effect.map(
  Effect.forEach(["shop", "archive"], (name) => serve((response) => json(response, [{ name }]))),
  ([shop, archive]) => ({ shop: shop?.url ?? "", archive: archive?.url ?? "" })
)

describe("the layers that are constants", () => {
  it.scopedLive("are as many databases as there are ConfigProviders (Db.layerFromEnv)", () =>
    Effect.gen(function* () {
      const urls = yield* twoServers
      const [shop, archive] = [envOf(urls.shop), envOf(urls.archive)].map((env) => Layer.provide(Db.layerFromEnv, env))
      if (shop === undefined || archive === undefined) return expect.fail("two layers")
      const graph = Layer.merge(Layer.provide(asking(Shop), shop), Layer.provide(asking(Archive), archive))
      expect(yield* Effect.provide(both, graph)).toEqual(["shop", "archive"])
    })
  )

  it.scopedLive("are as many databases as there are configurations (Db.layer)", () =>
    Effect.gen(function* () {
      const urls = yield* twoServers
      const [shop, archive] = [urls.shop, urls.archive].map((url) =>
        Layer.provide(Db.layer, Config.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1 }))
      )
      if (shop === undefined || archive === undefined) return expect.fail("two layers")
      const graph = Layer.merge(Layer.provide(asking(Shop), shop), Layer.provide(asking(Archive), archive))
      expect(yield* Effect.provide(both, graph)).toEqual(["shop", "archive"])
    })
  )

  it.scopedLive("are one database, with one pool, for all who build them from the same", () =>
    Effect.gen(function* () {
      const { shop } = yield* twoServers
      const config = Config.layerOf({ url: shop, anonKey, serviceRoleKey, minConnections: 1 })
      for (const database of [Layer.provide(Db.layer, config), Layer.provide(Db.layerFromEnv, envOf(shop))]) {
        const again = Layer.provide(asking(Archive), database)
        const asked = yield* Effect.provide(
          Effect.flatMap(both, () => Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics)),
          Layer.mergeAll(Layer.provide(asking(Shop), database), again, database)
        )
        expect(asked.acquired).toBe(2)
      }
    })
  )

  it.scopedLive("are one within a graph that names them twice, and closed with it", () =>
    Effect.gen(function* () {
      const { shop } = yield* twoServers
      const graph = Layer.mergeAll(
        Layer.provide(asking(Shop), Db.layerFromEnv),
        Layer.provide(asking(Archive), Db.layerFromEnv),
        Db.layerFromEnv
      ).pipe(Layer.provide(envOf(shop)))
      const pool = yield* Effect.provide(Effect.zipRight(both, Pool.ReadPool), graph)
      expect((yield* pool.metrics).acquired).toBe(2)
      const late = yield* Effect.flip(pool.use(() => Effect.void))
      expect(late._tag).toBe("PoolClosed")
    })
  )
})

class First extends Context.Tag("test/First")<First, object>() {}
class Second extends Context.Tag("test/Second")<Second, object>() {}

/** Two in one graph: of two databases, and of one. */
const two = <I, S extends object, E>(
  tag: Context.Tag<I, S>,
  layerOver: (url: string) => Layer.Layer<I, E>,
  urls: readonly [string, string]
) => {
  const holding = <H>(holder: Context.Tag<H, object>, layer: Layer.Layer<I, E>) =>
    Layer.provide(
      Layer.effect(
        holder,
        Effect.map(tag, (service): object => service)
      ),
      layer
    )
  const [first, second] = urls
  const layer = layerOver(first)
  const graph = Layer.merge(holding(First, layer), holding(Second, first === second ? layer : layerOver(second)))
  return Effect.provide(Effect.zipWith(First, Second, Object.is), graph)
}

const configOf = (url: string) =>
  Layer.merge(
    Config.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, rateLimit: 5 }),
    Config.ServerConfig.layerOf({})
  )
const databaseOf = (url: string) => Layer.provideMerge(Db.layer, configOf(url))
const healthOf = (url: string) => Layer.provideMerge(Health.layer, Layer.provideMerge(databaseOf(url), configOf(url)))

type Row = readonly [
  name: string,
  areSame: (urls: readonly [string, string]) => Effect.Effect<boolean, Config.ConfigInvalid, Scope.Scope>
]

const constants: ReadonlyArray<Row> = [
  ["Health.layer", (urls) => two(Health.Health, (url) => Layer.provide(Health.layer, databaseOf(url)), urls)],
  ["Metrics.layer", (urls) => two(Metrics.Metrics, (url) => Layer.provide(Metrics.layer, configOf(url)), urls)],
  ["Pool.layer", (urls) => two(Pool.ReadPool, (url) => Layer.provide(Pool.layer, configOf(url)), urls)],
  ["RateLimit.layer", (urls) => two(RateLimit.RateLimit, (url) => Layer.provide(RateLimit.layer, configOf(url)), urls)],
  [
    "Alerts.layerServer",
    (urls) =>
      two(
        Alerts.Alerts,
        (url) => Layer.provide(Alerts.layerServer, Layer.merge(healthOf(url), FetchHttpClient.layer)),
        urls
      )
  ],
  ["Config.layer", (urls) => two(Config.SupabaseConfig, (url) => Layer.provide(Config.layer, envOf(url)), urls)],
  [
    "Config.layerReadFromEnv",
    (urls) => two(Config.SupabaseConfig, (url) => Layer.provide(Config.layerReadFromEnv, envOf(url)), urls)
  ],
  [
    "PoolConfig.layer",
    (urls) => two(Config.PoolConfig, (url) => Layer.provide(Config.PoolConfig.layer, envOf(url)), urls)
  ],
  [
    "SupabaseConfig.layer",
    (urls) => two(Config.SupabaseConfig, (url) => Layer.provide(Config.SupabaseConfig.layer, envOf(url)), urls)
  ],
  [
    "ServerConfig.layer",
    (urls) => two(Config.ServerConfig, (url) => Layer.provide(Config.ServerConfig.layer, envOf(url)), urls)
  ]
]

describe("a constant layer", () => {
  it.scopedLive.each(constants)("%s is another one over another database, and one over the same", ([, areSame]) =>
    Effect.gen(function* () {
      const { archive, shop } = yield* twoServers
      expect([yield* areSame([shop, archive]), yield* areSame([shop, shop])]).toEqual([false, true])
    })
  )
})
