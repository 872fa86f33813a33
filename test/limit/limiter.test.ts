/** A pool that keeps to a limit: in virtual time, and over real sockets. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Metric, TestClock } from "effect"
import type * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { Limiter } from "../../src/internal/limit/limiter.js"
import { metricsOf } from "../../src/internal/pool/poolMetrics.js"
import * as Pool from "../../src/Pool.js"
import { type FakePool, make, settle } from "../support/fakeResource.js"
import { ask, giveBack } from "../support/waiting.js"

/** Answers after `delay` ms, as many at a time as it has slots; whoever finds none waits, or is refused. */
class Slots {
  under = 0
  most = 0
  refusals = 0
  /** The next so many are refused. */
  refuse = 0
  said: readonly [status: number, body: string] = [
    504,
    '{"code":"PGRST003","message":"Timed out acquiring connection"}'
  ]
  server: Server | undefined
  private readonly waiting: Array<() => void> = []
  private busy = 0

  constructor(slots: number, delay: number) {
    this.server = createServer((request, response) => {
      request.resume()
      this.under += 1
      this.most = Math.max(this.most, this.under)
      const end = (status: number, body: string): void => {
        this.under -= 1
        response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
        response.end(body)
      }
      if (this.refuse > 0) {
        this.refuse -= 1
        this.refusals += 1
        setTimeout(() => end(...this.said), delay)
        return
      }
      const serve = (): void => {
        this.busy += 1
        setTimeout(() => {
          this.busy -= 1
          end(200, "[]")
          this.waiting.shift()?.()
        }, delay)
      }
      if (this.busy < slots) serve()
      else this.waiting.push(serve)
    })
  }

  get url(): Promise<string> {
    const { server } = this
    if (server === undefined) return Promise.reject(new Error("closed"))
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const { port }: AddressInfo = Object.assign({ port: 0, family: "", address: "" }, server.address())
        resolve(`http://127.0.0.1:${port}`)
      })
    })
  }
}

let open: Slots | undefined

afterEach(() => {
  open?.server?.closeAllConnections()
  open?.server?.close()
})

const slots = (count: number, delay: number): Slots => {
  open = new Slots(count, delay)
  return open
}

const read = Db.read((client) => client.from("rows").select("id"))

const within = <A, E>(
  server: Slots,
  options: Config.PoolOptionsInput,
  run: Effect.Effect<A, E, Db.ReadDb | Pool.ReadPool | Pool.WritePool>
) =>
  Effect.flatMap(
    Effect.promise(() => server.url),
    (url) =>
      Effect.gen(function* () {
        return yield* run
      }).pipe(
        Effect.provide(Db.layerOf({ url, anonKey: "anon", serviceRoleKey: "service", retryDelay: 20, ...options }))
      )
  )

const limitNow = Effect.map(
  Effect.flatMap(Pool.ReadPool, ({ metrics }) => metrics),
  ({ limit }) => limit
)

/** So many callers, one operation of 50 ms after the other; `refuses` says what the server says at a moment. */
class Crowd {
  /** Under way at once, at most, since the last look. */
  most = 0
  done = 0
  private readonly pool: FakePool
  private readonly slots: number

  constructor(pool: FakePool, slots: number) {
    this.pool = pool
    this.slots = slots
  }

  /** Anybody above the slots waits for as long again. */
  private get work(): Effect.Effect<void> {
    const { pool: core } = this.pool
    return core
      .use((resource) =>
        Effect.suspend(() => {
          this.most = Math.max(this.most, core.active)
          resource.said = { shape: 1, refused: "" }
          return Effect.sleep(Duration.millis(50 * Math.max(1, core.active / this.slots)))
        })
      )
      .pipe(
        Effect.tap(
          Effect.sync(() => {
            this.done += 1
          })
        ),
        Effect.ignore
      )
  }

  run(callers: number): Effect.Effect<Fiber.RuntimeFiber<unknown>> {
    return Effect.fork(
      Effect.all(
        Array.from({ length: callers }, () => Effect.forever(this.work)),
        { concurrency: "unbounded" }
      )
    )
  }
}

/** In small steps, so that what a step makes happen has happened before the next. */
const pass = (millis: number, step = 10): Effect.Effect<void> =>
  Effect.repeatN(Effect.zipRight(TestClock.adjust(Duration.millis(step)), settle), millis / step - 1)

describe("a pool with adaptive on, in virtual time", () => {
  it.scoped("has all its connections at work where nothing waits in the server", () =>
    Effect.gen(function* () {
      const pool = yield* make({ max: 10, adaptive: true })
      const crowd = new Crowd(pool, 100)
      const running = yield* crowd.run(30)
      yield* pass(2_000)
      expect(crowd.most).toBe(10)
      expect(metricsOf(pool.pool).limit).toEqual({ value: 10, reason: "free", said: "" })
      yield* Fiber.interrupt(running)
    })
  )

  it.scoped("leaves in the pool who would only wait in the server, and loses nothing", () =>
    Effect.gen(function* () {
      const pool = yield* make({ max: 40, adaptive: true, connectionTimeout: Duration.seconds(30) })
      const crowd = new Crowd(pool, 4)
      const running = yield* crowd.run(60)
      yield* pass(2_500)
      crowd.most = 0
      crowd.done = 0
      yield* pass(2_500)
      // Without a limit all 40 are there. 4 slots of 50 ms answer 80 a second.
      expect(crowd.most).toBeLessThan(12)
      expect(crowd.done).toBeGreaterThan(0.9 * 2.5 * 80)
      yield* Fiber.interrupt(running)
    })
  )

  it.scoped("after refusals without end one goes at a time, with a break after each, and more come back later", () =>
    Effect.gen(function* () {
      const pool = yield* make({ max: 10, adaptive: true, connectionTimeout: Duration.seconds(30) })
      const { pool: core } = pool
      for (let n = 0; n < 10; n += 1) {
        const asker = yield* ask(core)
        yield* TestClock.adjust("5 seconds")
        asker.lease().resource.said = { shape: 1, refused: "PGRST003" }
        yield* giveBack(core, asker)
        yield* TestClock.adjust("5 seconds")
      }
      expect(metricsOf(core).limit).toMatchObject({ reason: "refused", said: "PGRST003" })
      expect(metricsOf(core).limit?.value).toBeLessThan(1)
      const first = yield* ask(core)
      const second = yield* ask(core)
      expect([first.state(), second.state()]).toEqual(["value", "waiting"])
      yield* TestClock.adjust("50 millis")
      first.lease().resource.said = { shape: 1, refused: "" }
      yield* giveBack(core, first)
      // Connections are idle: it is the break that it waits for.
      expect(second.state()).toBe("waiting")
      yield* TestClock.adjust("5 seconds")
      yield* settle
      expect(second.state()).toBe("value")
      // How long it was held says nothing of the server.
      second.lease().resource.said = undefined
      yield* giveBack(core, second)
      const crowd = new Crowd(pool, 100)
      const running = yield* crowd.run(4)
      yield* pass(10_000, 50)
      expect(metricsOf(core).limit?.value).toBeGreaterThan(1)
      yield* Fiber.interrupt(running)
    })
  )

  it.scoped("whoever waits for the limit is served in order, and times out as for a connection", () =>
    Effect.gen(function* () {
      const { pool: core } = yield* make({ max: 10, adaptive: true })
      const two = [yield* ask(core), yield* ask(core)]
      const [third, fourth] = [yield* ask(core), yield* ask(core)]
      expect([...two, third, fourth].map(({ state }) => state())).toEqual(["value", "value", "waiting", "waiting"])
      // No connection is opened for whom the limit keeps waiting.
      expect(metricsOf(core)).toMatchObject({ total: 2, pending: 2 })
      yield* TestClock.adjust("500 millis")
      yield* giveBack(core, two[0] ?? third)
      expect([third.state(), fourth.state()]).toEqual(["value", "waiting"])
      yield* TestClock.adjust("500 millis")
      expect(fourth.state()).toBe("AcquireTimeout")
    })
  )

  it.scoped("off: there is no limit", () =>
    Effect.gen(function* () {
      const { pool: core } = yield* make({ max: 10 })
      for (let n = 0; n < 10; n += 1) expect((yield* ask(core)).state()).toBe("value")
      expect(metricsOf(core).limit).toBeUndefined()
    })
  )
})

describe("a pool with adaptive on, over sockets", () => {
  for (const [name, status, body] of [
    ["PGRST003", 504, '{"code":"PGRST003","message":"Timed out acquiring connection from connection pool."}'],
    ["53300", 503, '{"code":"53300","message":"sorry, too many clients already"}'],
    ["429", 429, "slow down"],
    ["503", 503, "<html>overloaded</html>"]
  ] as const) {
    it.live(`goes down when the server refuses with ${name}, and says so`, () =>
      Effect.gen(function* () {
        const server = slots(100, 1)
        const limit = yield* within(
          server,
          { maxConnections: 20, adaptive: true },
          Effect.gen(function* () {
            yield* read
            server.said = [status, body]
            server.refuse = 1
            yield* read
            return yield* limitNow
          })
        )
        expect(server.refusals).toBe(1)
        expect(limit).toMatchObject({ value: 1.4, reason: "refused", said: name })
      })
    )
  }

  it.live("a database that is away, and a request that is wrong, say nothing of how much it bears", () =>
    Effect.gen(function* () {
      const server = slots(100, 1)
      const limit = yield* within(
        server,
        { maxConnections: 20, adaptive: true },
        Effect.gen(function* () {
          yield* read
          for (const said of [
            [503, '{"code":"PGRST000","message":"Could not connect"}'],
            [400, '{"code":"22P02","message":"invalid input syntax"}']
          ] as const) {
            server.said = said
            server.refuse = 1
            yield* Effect.either(read)
          }
          return yield* limitNow
        })
      )
      expect(server.refusals).toBe(2)
      expect(limit).toEqual({ value: 2, reason: "start", said: "" })
    })
  )

  it.live("the limit and what moved it are metrics", () =>
    Effect.gen(function* () {
      const server = slots(100, 1)
      const shown = yield* within(
        server,
        { maxConnections: 20, adaptive: true },
        Effect.gen(function* () {
          yield* read
          return yield* Metric.snapshot
        })
      )
      const names = shown.map(({ metricKey }) => metricKey.name)
      expect(names).toContain("supabase.pool.limit")
      expect(names.filter((name) => name === "supabase.pool.limit.reason").length).toBeGreaterThanOrEqual(8)
    })
  )
})

describe("what is learned of a shape", () => {
  it("a slow query beside a quick one is no queue", () => {
    const limiter = new Limiter(10)
    for (let n = 0; n < 2_000; n += 1) {
      limiter.ended({ shape: n % 2, refused: "" }, n * 10 - (n % 2 === 0 ? 5 : 900), n * 10, true)
    }
    expect(limiter.places).toBe(10)
  })

  it("a delay of 5 ms is nobody's fault", () => {
    const limiter = new Limiter(10)
    for (let n = 0; n < 1_000; n += 1)
      limiter.ended({ shape: 1, refused: "" }, n * 10 - (n % 3) * 2 - 0.5, n * 10, true)
    expect(limiter.places).toBe(10)
  })

  it("the shapes that it knows are bounded", () => {
    const limiter = new Limiter(10)
    for (let shape = 0; shape < 10_000; shape += 1) limiter.ended({ shape, refused: "" }, 0, 10, false)
    expect(limiter.known).toBe(256)
  })
})
