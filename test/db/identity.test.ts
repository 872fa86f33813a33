/** Users of row level security on shared sockets, against the embedded database: nobody sees with another's eyes. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { orders, profiles, users } from "../../src/Marketplace.js"
import * as Pool from "../../src/Pool.js"
import { ids, SharedSupabase, userToken } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"

/** As few sockets as there may be, so that every one of them serves everybody. */
const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

/** Each of the 39 buyers several times. */
const buyers: ReadonlyArray<string> = Array.from({ length: 200 }, (_, n) => ids.user(12 + (n % 39)))

const myOrders = Db.read((client) =>
  client.from("orders").select("buyer_id").overrideTypes<Array<{ buyer_id: string }>, { merge: false }>()
)

const together = <A, B, E, R>(values: ReadonlyArray<A>, f: (value: A, n: number) => Effect.Effect<B, E, R>) =>
  Effect.forEach(values, f, { concurrency: "unbounded" })

/** Reads all that this user may read, by every way there is, and says whose it was. */
const seenBy = (me: string) =>
  Effect.all(
    {
      orders: Effect.map(myOrders, (rows) => rows.map(({ buyer_id }) => buyer_id)),
      table: Effect.map(orders.list({ limit: 3 }), (rows) => rows.map(({ buyer_id }) => buyer_id)),
      profile: Effect.map(profiles.get(me), ({ user_id }) => [user_id]),
      user: Effect.map(users.get(me), ({ id }) => [id])
    },
    { concurrency: "unbounded" }
  ).pipe(
    Effect.map((seen) => Object.values(seen).flat()),
    Db.withAccessToken(userToken(me))
  )

const onlyOf = (me: string, seen: ReadonlyArray<string>) => {
  assert.isAtLeast(seen.length, 2)
  assert.deepStrictEqual([...new Set(seen)], [me])
}

const connections = Effect.map(
  Effect.all([Pool.ReadPool, Pool.WritePool]).pipe(
    Effect.flatMap((pools) => Effect.forEach(pools, ({ metrics }) => metrics))
  ),
  (metrics) => ({
    total: metrics.reduce((sum, { total }) => sum + total, 0),
    active: metrics.reduce((sum, { active }) => sum + active, 0)
  })
)

layer(Real)("users", (it) => {
  it.effect(
    "200 at once on four sockets each see their own rows, by query, table and batch",
    (context) =>
      Effect.gen(function* () {
        // Whoever has a number that nine divides asks in every way, the others for their orders and profile.
        yield* together(buyers, (me, n) =>
          n % 9 === 0
            ? Effect.map(seenBy(me), (seen) => onlyOf(me, seen))
            : Effect.zipWith(
                myOrders,
                profiles.get(me),
                (rows, { user_id }) => onlyOf(me, [...rows.map(({ buyer_id }) => buyer_id), user_id]),
                { concurrent: true }
              ).pipe(Db.withAccessToken(userToken(me)))
        )
        const { active, total } = yield* connections
        assert.isAtMost(total, 4)
        assert.strictEqual(active, 0)
        shows(context, {
          kind: "promise",
          section: "Security",
          what: "200 users at once on four sockets see their own rows, by query, table and batch"
        })
      }),
    60_000
  )

  it.effect(
    "the same, while every other is interrupted at some moment",
    () =>
      Effect.gen(function* () {
        const some = buyers.slice(0, 40)
        const running = yield* Effect.forEach(some, (me) => Effect.fork(seenBy(me)))
        const outcomes = yield* together(running, (fiber, n) =>
          n % 2 === 0
            ? Effect.map(Fiber.join(fiber), (seen) => onlyOf(some[n] ?? "", seen))
            : Effect.repeatN(Effect.yieldNow(), n * 7).pipe(Effect.zipRight(Fiber.interrupt(fiber)))
        )
        assert.strictEqual(outcomes.length, 40)
        // A socket that an interrupted user had serves nobody with that user's token.
        assert.deepStrictEqual(yield* myOrders, [])
        yield* together(some.slice(0, 10), (me) => Effect.map(seenBy(me), (seen) => onlyOf(me, seen)))
        assert.strictEqual((yield* connections).active, 0)
      }),
    60_000
  )

  it.effect("a user's batch gives nothing to another who asks for the same row at the same time", () =>
    Effect.gen(function* () {
      const mine = ids.user(12)
      const [me, other, nobody] = yield* Effect.all(
        [
          Db.withAccessToken(userToken(mine))(Effect.either(profiles.get(mine))),
          Db.withAccessToken(userToken(ids.user(13)))(Effect.either(profiles.get(mine))),
          Effect.either(Db.read((client) => client.from("profiles").select("user_id").eq("user_id", mine).single()))
        ],
        { concurrency: "unbounded", batching: true }
      )
      assert.deepInclude(me, { _tag: "Right" })
      assert.isTrue(other._tag === "Left" && other.left._tag === "RowNotFound")
      assert.isTrue(nobody._tag === "Left" && nobody.left._tag === "RowNotFound")
    })
  )

  it.effect("a user writes their own rows and no others", () =>
    Effect.gen(function* () {
      const me = ids.user(20)
      const asMe = Db.withAccessToken(userToken(me))
      const order = yield* asMe(orders.create({ buyer_id: me, product_id: ids.product(3), total: 1 }))
      const forged = orders.create({ buyer_id: ids.user(21), product_id: ids.product(3), total: 1 })
      assert.deepInclude(yield* failureOf(asMe(forged)), { _tag: "QueryError", code: "42501" })
      const others = orders.update(order.id, { status: "paid" })
      const refused = yield* failureOf(Db.withAccessToken(userToken(ids.user(21)))(others))
      assert.strictEqual(refused._tag, "RowNotFound")
      assert.strictEqual((yield* orders.get(order.id)).status, "pending")
      yield* asMe(orders.remove(order.id))
    })
  )

  it.effect("a transaction runs as the user, too", () =>
    Effect.gen(function* () {
      const me = ids.user(22)
      const steps = Db.transaction([
        (client) => client.from("profiles").update({ bio: "mine" }).eq("user_id", me).select("user_id"),
        (client) => client.from("profiles").update({ bio: "theirs" }).eq("user_id", ids.user(23)).select("user_id")
      ])
      const before = yield* profiles.get(me)
      const [own, others] = yield* Db.withAccessToken(userToken(me))(steps)
      assert.deepStrictEqual(own, [{ user_id: me }])
      assert.deepStrictEqual(others, [])
      yield* profiles.update(me, { bio: before.bio })
    })
  )

  it.effect("the inner token of two holds, and the outer one again after it", () =>
    Effect.gen(function* () {
      const outer = ids.user(24)
      const inner = ids.user(25)
      const seen = yield* Effect.all([myOrders, Db.withAccessToken(userToken(inner))(myOrders), myOrders]).pipe(
        Db.withAccessToken(userToken(outer))
      )
      assert.deepStrictEqual(
        seen.map((rows) => [...new Set(rows.map(({ buyer_id }) => buyer_id))]),
        [[outer], [inner], [outer]]
      )
    })
  )

  it.effect("a token that is none is refused by the database, and said so without it", () =>
    Effect.gen(function* () {
      const forged = `${userToken(ids.user(12)).slice(0, -4)}AAAA`
      const operations: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.ReadDb | Db.Db>> = [myOrders, orders.list()]
      for (const operation of operations) {
        const error = yield* failureOf(Db.withAccessToken(forged)(operation))
        assert.strictEqual(error._tag, "QueryError")
        assert.isTrue(error._tag === "QueryError" && error.status === 401)
        assert.notInclude(`${error.message} ${JSON.stringify(error)}`, forged.slice(0, 20))
      }
      const empty = yield* failureOf(Db.withAccessToken("")(myOrders))
      assert.deepInclude(empty, { _tag: "QueryError", code: "INVALID_TOKEN", mayHaveExecuted: false })
    })
  )
})

layer(Real)("the service", (it) => {
  describe('{ as: "service" }', () => {
    const all: Effect.Effect<ReadonlyArray<unknown>, Db.DbError, Db.Db> = Db.read(
      (client) => client.from("users").select("id").limit(60),
      { as: "service" }
    )

    it.effect("sees what row level security hides, on a read socket", () =>
      Effect.gen(function* () {
        const hidden = yield* Db.read((client) => client.from("users").select("id"))
        assert.deepStrictEqual(hidden, [])
        assert.isAtLeast((yield* all).length, 50)
        const { count } = yield* Db.response(
          (client) => client.from("orders").select("id", { count: "exact", head: true }),
          { as: "service" }
        )
        assert.isAtLeast(count ?? 0, 300)
      })
    )

    it.effect("leaves nothing on the socket for the next", () =>
      Effect.gen(function* () {
        const nobody: Effect.Effect<ReadonlyArray<unknown>, Db.DbError, Db.ReadDb> = Db.read((client) =>
          client.from("users").select("id")
        )
        const both: ReadonlyArray<Effect.Effect<ReadonlyArray<unknown>, Db.DbError, Db.ReadDb | Db.Db>> = [all, nobody]
        const seen = yield* together(Array.from({ length: 20 }, () => both).flat(), (read) => read)
        assert.deepStrictEqual(
          seen.map((rows) => rows.length >= 50),
          seen.map((_, n) => n % 2 === 0)
        )
      })
    )

    it.effect("does not write", () =>
      Effect.gen(function* () {
        const write = Db.read((client) => client.from("notes").insert({ body: "x" }), { as: "service" })
        assert.strictEqual((yield* failureOf(write))._tag, "ReadOnlyConnection")
      })
    )
  })
})
