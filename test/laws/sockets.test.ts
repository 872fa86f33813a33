/** The laws of the contract that need a network, on real sockets. */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import * as Pool from "../../src/Pool.js"
import { pools, select, server, withReadPool } from "../support/countingServer.js"
import { outcome } from "../support/fakeResource.js"
import { eachShows } from "../support/reliability.js"

/** Asks again every few milliseconds of real time, for what only the pool can see. */
const eventually = <A>(look: Effect.Effect<A>, holds: (a: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(look, { until: holds, schedule: Schedule.spaced("5 millis") }).pipe(
    Effect.zipRight(look),
    Effect.timeout("10 seconds"),
    Effect.orDie
  )

eachShows("Laws of the pool")

describe("laws, on real sockets", () => {
  it.live("a connection goes back on success, failure, defect and interruption", () =>
    Effect.gen(function* () {
      const counting = yield* server
      const seen = yield* withReadPool(counting, { minConnections: 1, maxConnections: 2 }, (pool) =>
        Effect.gen(function* () {
          const ends: Array<string> = []
          const end = <A, E>(work: Effect.Effect<A, E>) =>
            Effect.flatMap(Effect.exit(pool.use(() => work)), (exit) =>
              Effect.map(pool.metrics, ({ active }) => ends.push(`${outcome(exit)} ${active}`))
            )
          yield* end(Effect.void)
          yield* end(Effect.fail({ _tag: "Mine" }))
          yield* end(Effect.die("a bug"))
          yield* end(Effect.interrupt)
          const began = yield* Deferred.make<void>()
          const endless = yield* Effect.fork(
            pool.use(() => Effect.zipRight(Deferred.succeed(began, undefined), Effect.never))
          )
          yield* Deferred.await(began)
          ends.push(`busy ${(yield* pool.metrics).active}`)
          yield* Fiber.interrupt(endless)
          ends.push(`interrupted ${(yield* pool.metrics).active}`)
          yield* Effect.scoped(pool.connection)
          ends.push(`scope ${(yield* pool.metrics).active}`)
          return ends
        })
      )
      expect(seen).toEqual(["value 0", "Mine 0", "defect 0", "interrupted 0", "busy 1", "interrupted 0", "scope 0"])
      // All of that on the one socket of the read pool, beside the write pool's.
      expect(counting.opened).toBeLessThanOrEqual(2)
    }).pipe(Effect.scoped)
  )

  it.live("interrupting an operation aborts its HTTP request", () =>
    Effect.gen(function* () {
      const counting = yield* server
      counting.mode = "hold"
      yield* withReadPool(counting, { minConnections: 1, maxConnections: 2 }, (pool) =>
        Effect.gen(function* () {
          const request = yield* Effect.fork(select(pool))
          yield* counting.until("the request arrives", () => counting.requests === 1)
          yield* Fiber.interrupt(request)
          yield* counting.until("the server sees it aborted", () => counting.aborted === 1)
          counting.mode = "answer"
          expect(yield* select(pool)).toBe(200)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("closing the scope closes every socket within the shutdown timeout", () =>
    Effect.gen(function* () {
      const counting = yield* server
      counting.mode = "hold"
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        pools(counting, { minConnections: 4, maxConnections: 8, shutdownTimeout: "50 millis" }),
        scope
      )
      const pool = yield* Effect.provide(Pool.ReadPool, context)
      yield* counting.until("both pools are warm", () => counting.open >= 4)
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(select(pool)))
      yield* counting.until("all requests are under way", () => counting.requests === 3)
      const waiting = yield* Effect.fork(Effect.forEach([1, 2, 3], () => select(pool), { concurrency: "unbounded" }))
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
      yield* counting.until("no socket is left", () => counting.open === 0)
      expect(yield* pool.metrics).toMatchObject({ active: 0, connecting: 0, idle: 0, pending: 0, total: 0 })
      yield* Fiber.awaitAll([...fibers, waiting])
      expect(outcome(yield* Effect.exit(pool.use(() => Effect.void)))).toBe("PoolClosed")
    }).pipe(Effect.scoped)
  )

  it.live("work in flight is finished when the pool closes, if it ends in time", () =>
    Effect.gen(function* () {
      const counting = yield* server
      counting.mode = "hold"
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(pools(counting, { minConnections: 1, maxConnections: 2 }), scope)
      const pool = yield* Effect.provide(Pool.ReadPool, context)
      const request = yield* Effect.fork(select(pool))
      yield* counting.until("the request is under way", () => counting.requests === 1)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* eventually(Effect.exit(pool.use(() => Effect.void)), (exit) => outcome(exit) === "PoolClosed")
      counting.release()
      expect(yield* Fiber.join(request)).toBe(200)
      yield* Fiber.join(closing)
      yield* counting.until("no socket is left", () => counting.open === 0)
    }).pipe(Effect.scoped)
  )

  it.live("a failed server start leaves nothing open", () =>
    Effect.gen(function* () {
      const counting = yield* server
      const warm = Layer.effectDiscard(counting.until("the pools are warm", () => counting.open >= 4))
      // The port is taken: by the database itself.
      const listening = NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: counting.port })
      const start = listening.pipe(
        Layer.provide(warm),
        Layer.provideMerge(pools(counting, { minConnections: 4, maxConnections: 8 }))
      )
      const exit = yield* Effect.exit(Effect.scoped(Effect.asVoid(Layer.build(start))))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(counting.peak).toBeGreaterThanOrEqual(4)
      yield* counting.until("no socket is left", () => counting.open === 0)
    }).pipe(Effect.scoped)
  )

  it.live("the pool recovers by itself when the database returns", () =>
    Effect.gen(function* () {
      const counting = yield* server
      yield* withReadPool(counting, { minConnections: 2, maxConnections: 4 }, (pool) =>
        Effect.gen(function* () {
          yield* eventually(pool.metrics, ({ total }) => total === 2)
          yield* counting.stop
          yield* eventually(pool.metrics, ({ reachable, total }) => !reachable && total === 0)
          expect(outcome(yield* Effect.exit(select(pool)))).toBe("ConnectionFailed")
          yield* counting.start
          yield* eventually(pool.metrics, ({ reachable, total }) => reachable && total === 2)
          expect(yield* select(pool)).toBe(200)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("the server never sees more sockets than the maximum, whoever hangs up and however many ask", () =>
    Effect.gen(function* () {
      const counting = yield* server
      counting.hangUpEvery = 25
      const callers = Array.from({ length: 600 }, (_, n) => n)
      yield* withReadPool(counting, { minConnections: 2, maxConnections: 6 }, (pool) =>
        Effect.forEach(
          callers,
          (n) => Effect.exit(Effect.asVoid(n % 30 === 11 ? Effect.timeout(select(pool), "4 millis") : select(pool))),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* counting.until("no socket is left", () => counting.open === 0)
      // Three of the read pool, and the minimum of the write pool, which keeps it open.
      expect(counting.peak).toBeLessThanOrEqual(5)
      expect(counting.opened).toBeGreaterThan(5)
    }).pipe(Effect.scoped)
  )

  it.live("a server that says it hangs up soon is pinged sooner", () =>
    Effect.gen(function* () {
      const counting = yield* server
      // What Node's own servers say. Of less the pool may notice too late: it looks once a second, and undici closes then.
      counting.keepAliveHeader = "timeout=5"
      yield* withReadPool(counting, { minConnections: 1, maxConnections: 2, keepaliveInterval: "1 hour" }, (pool) =>
        Effect.gen(function* () {
          yield* select(pool)
          yield* counting.until("a ping comes", () => counting.requests >= 2)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("a reset replaces every socket and fails no operation", () =>
    Effect.gen(function* () {
      const counting = yield* server
      yield* withReadPool(counting, { minConnections: 4, maxConnections: 8 }, (pool) =>
        Effect.gen(function* () {
          yield* eventually(pool.metrics, ({ total }) => total >= 2)
          counting.mode = "hold"
          const request = yield* Effect.fork(select(pool))
          yield* counting.until("the request is under way", () => counting.requests === 1)
          const { total } = yield* pool.metrics
          expect(yield* pool.reset).toEqual({ closed: total - 1, deferred: 1 })
          counting.mode = "answer"
          counting.release()
          expect(yield* Fiber.join(request)).toBe(200)
          const after = yield* eventually(pool.metrics, (metrics) => metrics.total >= 2 && metrics.closed >= total)
          expect(after.reachable).toBe(true)
        })
      )
    }).pipe(Effect.scoped)
  )
})
