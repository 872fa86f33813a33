/** Each call that makes a database makes another one, whatever graph of layers they meet in. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"
import { eachShows } from "../support/reliability.js"

eachShows("Laws of the pool")

const whose = Effect.map(
  Db.read((client) => client.from("who").select("name")),
  ([row]) => row?.["name"]
)

class Shop extends Context.Tag("test/Shop")<Shop, Effect.Effect<string>>() {}
class Archive extends Context.Tag("test/Archive")<Archive, Effect.Effect<string>>() {}

/** A service that asks its own database. */
const asking = <I>(tag: Context.Tag<I, Effect.Effect<string>>) =>
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
