/** What `executeWithPool` does with failures; time is virtual, the requests are answered by a handler. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Clock, Context, Duration, Effect, Exit, Fiber, Layer, Ref, Runtime, TestClock } from "effect"
import * as Config from "../../src/Config.js"
import type { DbError, Mode } from "../../src/Errors.js"
import { HandlerTransport } from "../../src/internal/connection/handlerTransport.js"
import { Operations } from "../../src/internal/db/operationContext.js"
import * as ReadWritePools from "../../src/internal/pool/readWritePools.js"
import { execute, type Operation } from "../../src/internal/promise/execute.js"
import * as Metrics from "../../src/Metrics.js"
import * as RateLimit from "../../src/RateLimit.js"

type Answers = (attempt: number) => Response

const busy = (): Response =>
  Response.json({ code: "PGRST001", message: "no database connection", details: null, hint: null }, { status: 503 })
const rows = (): Response => Response.json([{ id: 1 }])
const noTable = (): Response =>
  Response.json({ code: "PGRST205", message: "no such table", details: null, hint: null }, { status: 404 })

/**
 * Operations whose nth request gets the nth answer; with the times at which requests came. Where a connection is at hand
 * the first attempt needs no fiber, else it has one, which waits.
 */
const servedTo = (caller: "at hand" | "opening", answers: Answers) =>
  Effect.gen(function* () {
    const times = yield* Ref.make(Chunk.empty<number>())
    const runtime = yield* Effect.runtime<never>()
    const handler = () =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const before = yield* Ref.getAndUpdate(times, Chunk.append(now))
        return answers(Chunk.size(before) + 1)
      })
    const pools = ReadWritePools.layerCarriedBy((mode, { origin }, { maxAnswer, requestTimeout }) =>
      Clock.clockWith((clock) =>
        Effect.succeed({
          makeTransport: () =>
            new HandlerTransport({ mode, origin, handler, runtime, clock, requestTimeout, maxAnswer })
        })
      )
    )
    const parts = Layer.mergeAll(Metrics.layer, RateLimit.layer, pools)
    const layer = Layer.provideMerge(Operations.layer, Layer.provideMerge(parts, config))
    const context = yield* Layer.build(layer)
    const { operations, metrics } = yield* Effect.provide(
      Effect.all({ operations: Operations, metrics: Metrics.Metrics }),
      context
    )
    if (caller === "at hand") yield* settle
    const { read } = Context.get(context, ReadWritePools.ReadWritePools)
    let forks = 0
    const fork = <A, E>(effect: Effect.Effect<A, E>) => {
      forks += 1
      return Runtime.runFork(runtime)(effect)
    }
    return {
      metrics,
      pool: Effect.sync(() => ({ active: read.active, idle: read.bag.idleCount })),
      forks: () => forks,
      seconds: Effect.map(Ref.get(times), (all) => Chunk.toReadonlyArray(all).map((at) => at / 1_000)),
      run: <A>(operation: Operation<A>, mode: Mode = "read", options = {}) =>
        Effect.async<A, DbError>((resume) =>
          execute({ operations, fork }, operation, { mode, options, user: undefined }, resume)
        )
    }
  })

const config = Config.layerOf({
  url: "http://db.test",
  anonKey: "anon-never-printed",
  serviceRoleKey: "service-never-printed",
  retryJitter: false,
  keepaliveInterval: 0
})

/** Runs while ten virtual seconds pass. */
const overTenSeconds = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    for (let second = 0; second < 10; second += 1) yield* Effect.zipRight(TestClock.adjust(Duration.seconds(1)), settle)
    return yield* Fiber.join(fiber)
  })

/** Builders resolve in promises, which virtual time does not wait for. */
const settle = Effect.repeatN(
  Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))),
  5
)

describe.each(["at hand", "opening"] as const)("executeWithPool, its connection %s,", (connection) => {
  const served = (answers: Answers) => servedTo(connection, answers)

  it.scoped("repeats a response whose error may pass after 1, 2 and 4 seconds", () =>
    Effect.gen(function* () {
      const server = yield* served((attempt) => (attempt <= 3 ? busy() : rows()))
      const response = yield* overTenSeconds(server.run(async (client) => await client.from("products").select("*")))
      expect(response.error).toBeNull()
      expect(response.data).toEqual([{ id: 1 }])
      expect(yield* server.seconds).toEqual([0, 1, 3, 7])
    })
  )

  it.scoped("repeats an error that is thrown on, and gives what the operation returns in the end", () =>
    Effect.gen(function* () {
      const server = yield* served((attempt) => (attempt <= 2 ? busy() : rows()))
      const data = yield* overTenSeconds(
        server.run(async (client) => {
          const { data, error } = await client.from("products").select("*").eq("seller_id", "1")
          if (error) throw error
          return data
        })
      )
      expect(data).toEqual([{ id: 1 }])
      expect(yield* server.seconds).toEqual([0, 1, 3])
    })
  )

  it.scoped("gives the last response when every attempt failed, and counts one failed request", () =>
    Effect.gen(function* () {
      const server = yield* served(busy)
      const response = yield* overTenSeconds(server.run((client) => client.from("products").select("*")))
      expect(response.status).toBe(503)
      expect(response.error?.code).toBe("PGRST001")
      expect((yield* server.seconds).length).toBe(4)
      expect(yield* server.metrics.totals).toEqual({ requests: 1, failed: 1 })
    })
  )

  it.scoped("fails with a QueryError when every attempt threw", () =>
    Effect.gen(function* () {
      const server = yield* served(busy)
      const error = yield* overTenSeconds(
        Effect.flip(
          server.run(async (client): Promise<null> => {
            const { error } = await client.from("products").select("*")
            throw error
          })
        )
      )
      expect(error._tag).toBe("QueryError")
      expect((yield* server.seconds).length).toBe(4)
    })
  )

  it.scoped("sends once what cannot pass, and returns that response as it is", () =>
    Effect.gen(function* () {
      const server = yield* served(noTable)
      const response = yield* server.run((client) => client.from("nothing").select("*"))
      expect(response).toMatchObject({ data: null, status: 404, error: { code: "PGRST205" } })
      expect(yield* server.seconds).toEqual([0])
      expect(yield* server.metrics.totals).toEqual({ requests: 1, failed: 0 })
    })
  )

  it.scoped("repeats a failed response of which only data and error are returned", () =>
    Effect.gen(function* () {
      const server = yield* served((attempt) => (attempt === 1 ? busy() : rows()))
      const answer = yield* overTenSeconds(
        server.run(async (client) => {
          const { data, error } = await client.from("products").select("*")
          return { data, error }
        })
      )
      expect(answer.error).toBeNull()
      expect(yield* server.seconds).toEqual([0, 1])
    })
  )

  it.scoped("never repeats a write of which an earlier request was executed", () =>
    Effect.gen(function* () {
      const server = yield* served((attempt) => (attempt === 1 ? rows() : busy()))
      const response = yield* overTenSeconds(
        server.run(async (client) => {
          await client.from("orders").insert({ id: 1 })
          return await client.from("orders").insert({ id: 2 })
        }, "write")
      )
      expect(response.status).toBe(503)
      expect(yield* server.seconds).toEqual([0, 0])
    })
  )

  it.scoped("repeats such a write when it is declared idempotent", () =>
    Effect.gen(function* () {
      const server = yield* served((attempt) => (attempt === 2 ? busy() : rows()))
      const response = yield* overTenSeconds(
        server.run(
          async (client) => {
            await client.from("orders").upsert({ id: 1 })
            return await client.from("orders").upsert({ id: 2 })
          },
          "write",
          { idempotent: true }
        )
      )
      expect(response.error).toBeNull()
      expect(yield* server.seconds).toEqual([0, 0, 1, 1])
    })
  )

  it.scoped("gives back what the operation threw, the same object, whether it threw at once or later", () =>
    Effect.gen(function* () {
      const server = yield* served(rows)
      const runtime = yield* Effect.runtime<never>()
      const own = new RangeError("mine")
      const thrownBy = (operation: Operation<never>) =>
        Effect.promise(() =>
          Runtime.runPromiseExit(runtime)(server.run(operation)).then((exit) =>
            exit._tag === "Failure" && exit.cause._tag === "Die" ? exit.cause.defect : undefined
          )
        )
      expect(
        yield* thrownBy(() => {
          throw own
        })
      ).toBe(own)
      expect(yield* thrownBy(() => Promise.reject(own))).toBe(own)
      expect((yield* server.seconds).length).toBe(0)
    })
  )

  it.scoped("gives back its connection and settles, though what the operation returned cannot be looked into", () =>
    Effect.gen(function* () {
      const server = yield* served(rows)
      const odd = { data: null, error: { message: "m", code: "c" }, status: Number.NaN }
      const broken = new RangeError("mine")
      const hostile = {
        data: null,
        get error(): object {
          throw broken
        }
      }
      for (const operation of [() => odd, () => Promise.resolve(odd)]) expect(yield* server.run(operation)).toBe(odd)
      for (const operation of [() => hostile, () => Promise.resolve(hostile)]) {
        const exit = yield* Effect.exit(server.run(operation))
        expect(exit).toEqual(Exit.die(broken))
      }
      expect((yield* server.pool).active).toBe(0)
    })
  )

  it.scoped("passes on whatever else the operation returns", () =>
    Effect.gen(function* () {
      const server = yield* served(rows)
      const values: ReadonlyArray<unknown> = [
        undefined,
        null,
        0,
        "",
        [],
        { data: 1 },
        { error: "text" },
        { data: null, error: null }
      ]
      for (const value of values) expect(yield* server.run(() => value)).toBe(value)
    })
  )
})

/** Answers when it is told to, and as often. */
class Patient implements PromiseLike<number> {
  answer: (value: number) => void = () => {}

  // biome-ignore lint/suspicious/noThenProperty: a thenable of the caller's own is what is tested
  then<A = number, B = never>(answered?: ((value: number) => A | PromiseLike<A>) | null): PromiseLike<A | B> {
    return new Promise((resolve) => {
      this.answer = (value) => {
        if (answered) resolve(answered(value))
      }
    })
  }
}

describe("executeWithPool without a fiber", () => {
  it.scoped("is where a connection is at hand; what waits and what is repeated has one", () =>
    Effect.gen(function* () {
      const server = yield* servedTo("at hand", (attempt) => (attempt === 2 ? busy() : rows()))
      yield* server.run((client) => client.from("products").select("*"))
      expect(server.forks()).toBe(0)
      yield* overTenSeconds(server.run((client) => client.from("products").select("*")))
      expect(server.forks()).toBe(1)
      const waiting = yield* servedTo("opening", rows)
      yield* waiting.run((client) => client.from("products").select("*"))
      expect(waiting.forks()).toBe(1)
    })
  )

  it.scoped("gives its connection back once, though the caller's thenable answers again when another has it", () =>
    Effect.gen(function* () {
      const server = yield* servedTo("at hand", rows)
      const before = yield* server.pool
      const thenable = new Patient()
      const other = new Patient()
      const first = yield* Effect.fork(server.run(() => thenable))
      yield* Effect.yieldNow()
      expect((yield* server.pool).active).toBe(1)
      thenable.answer(1)
      expect(yield* Fiber.join(first)).toBe(1)
      const second = yield* Effect.fork(server.run(() => other))
      yield* Effect.yieldNow()
      thenable.answer(2)
      expect(yield* server.pool).toEqual({ active: 1, idle: before.idle - 1 })
      other.answer(3)
      expect(yield* Fiber.join(second)).toBe(3)
      expect(yield* server.pool).toEqual(before)
    })
  )
})
