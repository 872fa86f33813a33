/** What a connection of the pool sends inside `Db.withAccessToken`: that user's token, and never silently more rights. */
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import * as Config from "../../src/Config.js"
import type { Connection } from "../../src/Connection.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Pool from "../../src/Pool.js"
import { json, type Seen, serve } from "../support/httpServer.js"
import { secret } from "../support/secrets.js"

const anon = secret("anon-key")
const service = secret("service-key")
const alice = secret("alice")
const bob = secret("bob")

/** Answers everything with no rows. */
const listening = serve((response) => json(response, []))

const bearerOf = ({ headers }: Seen): string | undefined => headers.authorization?.slice("Bearer ".length)

const database = (url: string, options: Config.PoolOptionsInput = {}) =>
  Db.layerOf({ url, anonKey: anon, serviceRoleKey: service, minConnections: 1, maxConnections: 2, ...options })

const pools = Effect.all({ read: Pool.ReadPool, write: Pool.WritePool })

const modes = ["read", "write"] as const

const ask = ({ client }: Connection) => Effect.promise(async () => client.from("orders").select("*"))

type Way = (pool: Pool.ConnectionPool) => Effect.Effect<unknown, Db.DbError>

/** Every way in which a pool gives out a connection, and every door of its client. */
const ways: Readonly<Record<string, Way>> = {
  use: (pool) => pool.use(ask),
  connection: (pool) => Effect.scoped(Effect.flatMap(pool.connection, ask)),
  "a stream": (pool) => Stream.runDrain(Stream.mapEffect(Stream.scoped(pool.connection), ask)),
  "use in a fiber of its own": (pool) => Effect.flatMap(Effect.fork(pool.use(ask)), Fiber.join),
  "use, for another schema": (pool) =>
    pool.use(({ client }) => Effect.promise(async () => client.schema("private").from("orders").select("*"))),
  "use, for a file": (pool) =>
    pool.use(({ client }) => Effect.promise(() => client.storage.from("files").info("orders")))
}

const own = { read: anon, write: service }

describe("a connection of the pool", () => {
  for (const [name, way] of Object.entries(ways)) {
    it.scoped(
      `asked for by ${name} inside Db.withAccessToken sends as that user, and outside with the pool's key`,
      () =>
        Effect.gen(function* () {
          const { seen, url } = yield* listening
          yield* Effect.gen(function* () {
            const both = yield* pools
            for (const mode of modes) {
              yield* way(both[mode])
              yield* Db.withAccessToken(alice)(way(both[mode]))
              yield* Db.withAccessToken(alice)(Db.withAccessToken(bob)(way(both[mode])))
              yield* way(both[mode])
            }
          }).pipe(Effect.provide(database(url)))
          const asked = seen.filter(({ url }) => url.includes("orders"))
          expect(asked.map(bearerOf)).toEqual(modes.flatMap((mode) => [own[mode], alice, bob, own[mode]]))
          // The service-role key goes with no user's request, not as the key of the API either.
          for (const one of asked) if (bearerOf(one) !== service) expect(one.headers["apikey"]).toBe(anon)
        })
    )
  }

  it.scoped(
    "is its asker's: asked for outside it keeps the pool's key inside, asked for inside the user's outside",
    () =>
      Effect.gen(function* () {
        const { seen, url } = yield* listening
        yield* Effect.gen(function* () {
          const outside = yield* Effect.flatMap(Pool.WritePool, (pool) => pool.connection)
          yield* Db.withAccessToken(alice)(ask(outside))
          const inside = yield* Db.withAccessToken(alice)(Effect.flatMap(Pool.ReadPool, (pool) => pool.connection))
          yield* ask(inside)
          yield* Db.withAccessToken(bob)(ask(inside))
        }).pipe(Effect.scoped, Effect.provide(database(url)))
        expect(seen.map(bearerOf)).toEqual([service, alice, alice])
      })
  )

  it.scoped("has the same id, mode and date for a user, tells whether it is active, and shows no key", () =>
    Effect.gen(function* () {
      const { url } = yield* listening
      yield* Effect.gen(function* () {
        const pool = yield* Pool.WritePool
        const plain = yield* pool.use(({ createdAt, id, mode }) => Effect.succeed({ id, mode, createdAt }))
        const held = yield* Db.withAccessToken(alice)(
          pool.use((connection) => {
            expect(connection).toMatchObject({ ...plain, isActive: true })
            expect(JSON.parse(JSON.stringify(connection))).toEqual({
              ...plain,
              createdAt: plain.createdAt.toISOString(),
              isActive: true
            })
            const printed = inspect(connection, { depth: 10, showHidden: true, getters: true })
            for (const hidden of [alice, anon, service]) expect(printed).not.toContain(hidden)
            return Effect.succeed(connection)
          })
        )
        expect(held.isActive).toBe(false)
      }).pipe(Effect.provide(database(url)))
    })
  )

  it.scoped("with a token that cannot be sent sends nothing, and never as the service instead", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* listening
      yield* Effect.gen(function* () {
        for (const token of ["", "two words", "line\nbreak"]) {
          const answer = yield* Db.withAccessToken(token)(Effect.flatMap(Pool.WritePool, (pool) => pool.use(ask)))
          expect(answer.error?.message).toContain("the access token is empty or has characters")
        }
      }).pipe(Effect.provide(database(url)))
      expect(seen).toEqual([])
    })
  )
})

describe("a health check", () => {
  it.scoped("that a user asks for is made with the pool's key: its answer is everybody's", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* listening
      yield* Db.withAccessToken(alice)(Health.check).pipe(
        Effect.provide(
          Layer.provideMerge(
            Health.layer,
            Layer.merge(database(url), Config.PoolConfig.layerOf({ enableHealthChecks: false }))
          )
        )
      )
      expect(seen.filter(({ url }) => url.includes("ping")).map(bearerOf)).toEqual([anon])
    })
  )
})
