import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, LogLevel, Option, TestClock } from "effect"
import * as fc from "effect/FastCheck"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import { take } from "../../src/internal/http/sampling.js"
import { statusOf } from "../../src/internal/promise/status.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"

const options = {
  minConnections: 1,
  maxConnections: 4,
  maxRetries: 0,
  leakDetectionTimeout: 0,
  maxLifetime: 0,
  enableHealthChecks: false
} satisfies Config.PoolOptionsInput

type Handler = Parameters<typeof Db.layerTest<never>>[0]

/** Everything from the pools to the health check, with a handler where the network would be. */
const wired = (handler: Handler, more: Config.PoolOptionsInput = {}) =>
  Health.layer.pipe(
    Layer.provideMerge(Db.layerTest(handler, { ...options, ...more })),
    Layer.provideMerge(Config.PoolConfig.layerOf({ ...options, ...more }))
  )

const isPing = (request: Request): boolean => request.url.includes("/rpc/supabase_pool_ping")

const refusal = (status: number, code = "X"): Response =>
  Response.json({ code, message: "asked to fail", details: null, hint: null }, { status })

const row = Db.read((client) => client.from("rows").select("id"))

/** Lends every connection of both pools for as long as the scope is open. */
const holdAll = Effect.gen(function* () {
  for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
    const { max } = yield* pool.metrics
    yield* Effect.replicateEffect(pool.connection, max)
  }
})

const healthy: Health.Sample = {
  canConnect: true,
  utilization: 0,
  errorRate: 0,
  averageResponseTime: Duration.zero,
  leaks: 0
}

describe("assess", () => {
  const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0.05, 0.8))
  const samples: fc.Arbitrary<Health.Sample> = fc.record({
    canConnect: fc.boolean(),
    utilization: share,
    errorRate: share,
    averageResponseTime: fc.oneof(fc.nat(3_000), fc.constant(1_000)).map(Duration.millis),
    leaks: fc.nat(2),
    unanswered: fc.oneof(fc.nat(60_000), fc.constant(10_000)).map(Duration.millis)
  })

  const exceeded = (sample: Health.Sample): number =>
    [
      sample.utilization > 0.8,
      sample.errorRate > 0.05,
      Duration.toMillis(sample.averageResponseTime) > 1_000,
      sample.leaks > 0,
      Duration.toMillis(sample.unanswered ?? Duration.zero) > 10_000
    ].filter(Boolean).length

  it("is unhealthy exactly when the database cannot be reached, and else degraded exactly when a threshold is exceeded", () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const { status } = Health.assess(sample)
        if (!sample.canConnect) return status === "unhealthy"
        return status === (exceeded(sample) > 0 ? "degraded" : "healthy")
      })
    )
  })

  it("gives one reason for each thing that is wrong", () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const { reasons } = Health.assess(sample)
        return reasons.length === exceeded(sample) + (sample.canConnect ? 0 : 1)
      })
    )
  })

  it("is healthy at each threshold and degraded above it", () => {
    const at = (part: Partial<Health.Sample>) => Health.assess({ ...healthy, ...part }).status
    expect(at({ utilization: 0.8 })).toBe("healthy")
    expect(at({ utilization: 0.8001 })).toBe("degraded")
    expect(at({ errorRate: 0.05 })).toBe("healthy")
    expect(at({ errorRate: 0.0501 })).toBe("degraded")
    expect(at({ averageResponseTime: Duration.millis(1_000) })).toBe("healthy")
    expect(at({ averageResponseTime: Duration.millis(1_000.5) })).toBe("degraded")
    expect(at({ leaks: 0 })).toBe("healthy")
    expect(at({ leaks: 1 })).toBe("degraded")
    expect(at({ unanswered: Duration.seconds(10) })).toBe("healthy")
    expect(at({ unanswered: Duration.millis(10_001) })).toBe("degraded")
  })

  it("says what is wrong in figures that exceed the threshold they name", () => {
    const { reasons } = Health.assess({
      ...healthy,
      utilization: 0.8001,
      errorRate: 0.07,
      averageResponseTime: Duration.millis(1_000.2),
      leaks: 1,
      unanswered: Duration.millis(22_600)
    })
    expect(reasons).toEqual([
      "nothing was answered for 22 s, more than 10 s",
      "utilization is 80.1 %, more than 80 %",
      "error rate is 7 %, more than 5 %",
      "operations take 1001 ms on average, more than 1000 ms",
      "a leaked connection was reclaimed in the last minute"
    ])
  })
})

describe("a check", () => {
  const statusWhen = (handler: Handler) =>
    Health.check.pipe(
      Effect.map(({ details, status }) => ({ status, canConnect: details.canConnect, error: details.error })),
      Effect.provide(wired(handler))
    )

  it.effect("is healthy when the database answers the ping", () =>
    Effect.gen(function* () {
      expect(yield* statusWhen(() => Response.json(null))).toEqual({
        status: "healthy",
        canConnect: true,
        error: Option.none()
      })
    })
  )

  it.effect("takes a database without the ping function for reachable", () =>
    Effect.gen(function* () {
      expect((yield* statusWhen(() => refusal(404, "PGRST202"))).status).toBe("healthy")
    })
  )

  it.effect("is unhealthy when the key is refused, and says so", () =>
    Effect.gen(function* () {
      const { error, status } = yield* statusWhen(() => refusal(401))
      expect(status).toBe("unhealthy")
      expect(Option.getOrNull(error)).toBe("asked to fail (HTTP 401)")
    })
  )

  it.effect("is unhealthy also when the answer gives no reason", () =>
    Effect.gen(function* () {
      const { error, status } = yield* statusWhen(() => Response.json({ code: "X" }, { status: 500 }))
      expect([status, Option.getOrNull(error)]).toEqual(["unhealthy", "no reason was given (HTTP 500)"])
    })
  )

  it.effect("is unhealthy when PostgREST has no database connection", () =>
    Effect.gen(function* () {
      expect((yield* statusWhen(() => refusal(503, "PGRST002"))).status).toBe("unhealthy")
    })
  )

  it.effect("is unhealthy when the database does not answer within five seconds", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(statusWhen(() => Effect.never))
      yield* TestClock.adjust("5 seconds")
      const { error, status } = yield* Fiber.join(fiber)
      expect(status).toBe("unhealthy")
      expect(Option.getOrNull(error)).toContain("5 s")
    })
  )

  it.effect("asks once more, at once, when the socket turns out to be dead", () => {
    let asked = 0
    return Effect.gen(function* () {
      const { status } = yield* statusWhen((request) => {
        if (isPing(request)) asked += 1
        return asked === 1 ? Effect.die("the socket is gone") : Response.json(null)
      })
      expect(asked).toBe(2)
      expect(status).toBe("healthy")
    })
  })

  it.effect("never fails, whatever comes back", () =>
    Effect.gen(function* () {
      const odd = [
        () => new Response("<html>", { status: 200, headers: { "content-type": "text/html" } }),
        () => new Response("", { status: 502 }),
        () => Effect.die("a defect")
      ]
      for (const handler of odd) {
        const exit = yield* Effect.exit(statusWhen(handler))
        expect(Exit.isSuccess(exit)).toBe(true)
      }
    })
  )
})

describe("recent windows", () => {
  it.effect("a bad minute degrades, and is forgotten when it is over, while the totals keep it", () => {
    let broken = true
    const handler: Handler = (request) => (broken && !isPing(request) ? refusal(500, "XX000") : Response.json([]))
    return Effect.gen(function* () {
      yield* Effect.replicateEffect(Effect.ignore(row), 10)
      broken = false
      const during = yield* Health.check
      expect(during.status).toBe("degraded")
      expect(during.details.errorRate).toBe(1)
      yield* TestClock.adjust("61 seconds")
      const after = yield* Health.check
      expect(after.status).toBe("healthy")
      expect(after.details.errorRate).toBe(0)
      expect(after.details.totals).toEqual({ requests: 10, failed: 10 })
    }).pipe(Effect.provide(wired(handler)))
  })

  it.effect("what clients ask wrongly degrades nothing, however much of it there is", () => {
    const wrong = [
      [400, "22P02"],
      [401, "PGRST301"],
      [403, "42501"],
      [404, "PGRST205"],
      [406, "PGRST116"],
      [409, "23505"],
      [413, ""],
      [416, "PGRST103"],
      [400, "P0001"],
      [402, "PT402"],
      [500, "54000"]
    ] as const
    const refuse = ([status, code]: readonly [number, string] = [400, "22P02"]): Response => refusal(status, code)
    let asked = 0
    const handler: Handler = (request) =>
      isPing(request) ? Response.json(null) : refuse(wrong[asked++ % wrong.length])
    return Effect.gen(function* () {
      const exits = yield* Effect.replicateEffect(Effect.exit(row), 5 * wrong.length)
      expect(exits.every(Exit.isFailure)).toBe(true)
      const { details, status } = yield* Health.check
      expect([status, details.reasons, details.errorRate]).toEqual(["healthy", [], 0])
    }).pipe(Effect.provide(wired(handler)))
  })

  it.effect("one odd answer, to an operation or to the check itself, makes nothing unhealthy", () => {
    const odd: ReadonlyArray<() => Response | Effect.Effect<never, Db.ConnectionFailed>> = [
      () => refusal(500, "XX000"),
      () => refusal(503),
      () => refusal(401),
      () => new Response("<html>", { status: 200, headers: { "content-type": "text/html" } }),
      () => new Response("", { status: 502 }),
      () => {
        const gone = {
          pool: "read",
          origin: "http://db.test",
          failure: "closed",
          code: "ECONNRESET",
          sent: true
        } as const
        return Effect.fail(new Db.ConnectionFailed(gone))
      }
    ]
    return Effect.forEach(odd, (answer) => {
      let oddly = 0
      const handler: Handler = (request) => {
        if (oddly === (isPing(request) ? 1 : 2)) {
          oddly = 0
          return answer()
        }
        return Response.json([])
      }
      return Effect.gen(function* () {
        yield* Effect.replicateEffect(Effect.ignore(row), 40)
        oddly = 1
        expect((yield* Health.check).status).toBe("healthy")
        oddly = 2
        yield* Effect.ignore(row)
        expect([oddly, (yield* Health.check).status]).toEqual([0, "healthy"])
      }).pipe(Effect.provide(wired(handler)))
    })
  })

  it.effect("slow operations degrade, by their mean", () => {
    const handler: Handler = (request) =>
      isPing(request) ? Response.json(null) : Effect.delay(Effect.succeed(Response.json([])), "1500 millis")
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(row)
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.join(fiber)
      const { details, status } = yield* Health.check
      expect(Duration.toMillis(details.averageResponseTime)).toBe(1_500)
      expect(status).toBe("degraded")
    }).pipe(Effect.provide(wired(handler)))
  })

  it.effect("without metrics neither error rate nor response time is known: both are 0", () => {
    const handler: Handler = (request) =>
      isPing(request) ? Response.json(null) : Effect.delay(Effect.succeed(refusal(400)), "1500 millis")
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.exit(row))
      yield* TestClock.adjust("1500 millis")
      expect(Exit.isFailure(yield* Fiber.join(fiber))).toBe(true)
      const { details, status } = yield* Health.check
      expect(details).toMatchObject({ errorRate: 0, averageResponseTime: Duration.zero })
      expect(status).toBe("healthy")
    }).pipe(Effect.provide(wired(handler, { enableMetrics: false })))
  })

  it.effect("a row that is not there is no failure", () =>
    Effect.gen(function* () {
      yield* Effect.ignore(Db.read((client) => client.from("rows").select("id").single()))
      expect((yield* Health.check).details.totals).toEqual({ requests: 1, failed: 0 })
    }).pipe(Effect.provide(wired(() => refusal(406, "PGRST116"))))
  )
})

describe("checks at the same time", () => {
  it.effect("share one question, also when the first who asked goes away", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      let pings = 0
      const handler: Handler = (request) => {
        if (!isPing(request)) return Response.json(null)
        pings += 1
        return Deferred.succeed(asked, undefined).pipe(
          Effect.zipRight(Deferred.await(gate)),
          Effect.as(Response.json(null))
        )
      }
      yield* Effect.gen(function* () {
        const leader = yield* Effect.fork(Health.check)
        yield* Deferred.await(asked)
        const followers = yield* Effect.fork(
          Effect.all(
            Array.from({ length: 5 }, () => Health.check),
            { concurrency: 5 }
          )
        )
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(leader)
        yield* Deferred.succeed(gate, undefined)
        const reports = yield* Fiber.join(followers)
        expect(reports.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "healthy"))
        expect(pings).toBe(1)
        yield* Health.check
        expect(pings).toBe(2)
      }).pipe(Effect.provide(wired(handler)))
    })
  )
})

describe("in the background", () => {
  const counting = () => {
    const state = { pings: 0, down: false, status: 503 }
    const handler: Handler = (request) => {
      if (isPing(request)) state.pings += 1
      return state.down && isPing(request) ? refusal(state.status) : Response.json(null)
    }
    return { state, handler }
  }
  const everyTenSeconds = { enableHealthChecks: true, healthCheckInterval: "10 seconds" } as const

  it.effect("checks once in each interval", () => {
    const { handler, state } = counting()
    return Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      expect(state.pings).toBe(1)
      yield* TestClock.adjust("30 seconds")
      expect(state.pings).toBe(4)
      const { last } = yield* Health.Health
      expect(Option.map(yield* last, ({ timestamp }) => timestamp)).toEqual(Option.some(40_000))
    }).pipe(Effect.provide(wired(handler, everyTenSeconds)))
  })

  it.effect("checks nothing when health checks are off", () => {
    const { handler, state } = counting()
    return Effect.gen(function* () {
      yield* TestClock.adjust("30 seconds")
      expect(state.pings).toBe(0)
    }).pipe(Effect.provide(wired(handler, { ...everyTenSeconds, enableHealthChecks: false })))
  })

  it.effect("logs a change of what is wrong once, and nothing while it stays", () => {
    const { handler, state } = counting()
    const lines: Array<string> = []
    const capture = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => {
        const text = String(message)
        if (text.includes("database pool is")) lines.push(`${logLevel.label} ${text}`)
      })
    )
    return Effect.gen(function* () {
      yield* TestClock.adjust("30 seconds")
      expect(lines).toEqual([])
      state.down = true
      yield* TestClock.adjust("50 seconds")
      const unhealthy = "WARN database pool is unhealthy: the database cannot be reached"
      expect(lines).toEqual([`${unhealthy}; asked to fail (HTTP 503)`])
      state.status = 401
      yield* TestClock.adjust("50 seconds")
      expect(lines.slice(1)).toEqual([`${unhealthy}; asked to fail (HTTP 401)`])
      state.down = false
      yield* TestClock.adjust("50 seconds")
      expect(lines.slice(2)).toEqual(["INFO database pool is healthy again"])
    }).pipe(
      Effect.provide(Layer.provideMerge(wired(handler, everyTenSeconds), capture)),
      Logger.withMinimumLogLevel(LogLevel.Info)
    )
  })
})

describe("when every connection is lent", () => {
  it.effect("a check answers at once, degraded and connected, without asking the database", () => {
    let pings = 0
    const handler: Handler = (request) => {
      if (isPing(request)) pings += 1
      return Response.json(null)
    }
    return Effect.gen(function* () {
      yield* holdAll
      const { details, responseTime, status } = yield* Health.check
      expect({ status, canConnect: details.canConnect, pings }).toEqual({
        status: "degraded",
        canConnect: true,
        pings: 0
      })
      expect(Duration.toMillis(responseTime)).toBe(0)
      expect(details.reasons).toEqual(["utilization is 100 %, more than 80 %"])
    }).pipe(Effect.scoped, Effect.provide(wired(handler)))
  })

  it.effect("a check does not wait behind a full queue", () =>
    Effect.gen(function* () {
      yield* holdAll
      const waiting = yield* Effect.forkScoped(Effect.all([row, row, row], { concurrency: 3 }))
      yield* Effect.repeat((yield* Pool.ReadPool).metrics, { until: ({ pending }) => pending === 3 })
      expect((yield* Effect.either(row))._tag).toBe("Left")
      const { details, responseTime } = yield* Health.check
      expect(details.canConnect).toBe(true)
      expect(Duration.toMillis(responseTime)).toBe(0)
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.scoped, Effect.provide(wired(() => Response.json([]), { maxPending: 3 })))
  )

  it.effect("only the read pool's, a check asks by way of the write pool", () => {
    const keys: Array<string | null> = []
    const handler: Handler = (request) => {
      if (isPing(request)) keys.push(request.headers.get("apikey"))
      return Response.json(null)
    }
    return Effect.gen(function* () {
      const pool = yield* Pool.ReadPool
      const { max } = yield* pool.metrics
      yield* Effect.replicateEffect(pool.connection, max)
      expect((yield* Health.check).details.canConnect).toBe(true)
      expect(keys).toEqual(["test-service-role-key"])
    }).pipe(Effect.scoped, Effect.provide(wired(handler)))
  })

  it.effect("only the write pool's, the pool is degraded as well", () =>
    Effect.gen(function* () {
      const pool = yield* Pool.WritePool
      const { max } = yield* pool.metrics
      yield* Effect.replicateEffect(pool.connection, max)
      const { details, status } = yield* Health.check
      expect([status, details.reasons]).toEqual(["degraded", ["utilization is 100 %, more than 80 %"]])
    }).pipe(Effect.scoped, Effect.provide(wired(() => Response.json(null))))
  )

  it.effect("and the database answered nothing that was tried in the last minute, it is unhealthy", () =>
    Effect.gen(function* () {
      yield* Effect.ignore(row)
      yield* holdAll
      const { details, status } = yield* Health.check
      expect(status).toBe("unhealthy")
      expect(Option.getOrNull(details.error)).toContain("no operation was answered in the last minute")
    }).pipe(Effect.scoped, Effect.provide(wired(() => refusal(500, "XX000"))))
  )
})

describe("a leak", () => {
  it.effect("degrades for a minute, and then is history that only the count remembers", () =>
    Effect.gen(function* () {
      const pool = yield* Pool.ReadPool
      yield* pool.connection
      yield* TestClock.adjust("10 seconds")
      const during = yield* Health.check
      expect(during.status).toBe("degraded")
      expect(during.details.reasons).toEqual(["a leaked connection was reclaimed in the last minute"])
      yield* TestClock.adjust("60 seconds")
      const after = yield* Health.check
      expect(after.status).toBe("healthy")
      expect(after.details.read.leaks).toBe(1)
    }).pipe(Effect.scoped, Effect.provide(wired(() => Response.json(null), { leakDetectionTimeout: "10 seconds" })))
  )
})

it.scoped(
  "the event stream and the Promise API say the same of the same pools: one that cannot connect is enough",
  () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.Metrics
      const pools = { read: yield* Pool.ReadPool, write: yield* Pool.WritePool }
      const checked = yield* Health.check
      const { since } = metrics
      const seen = (canConnect: boolean): Health.HealthReport => ({
        ...checked,
        details: { ...checked.details, canConnect }
      })
      for (const last of [Option.none(), Option.some(seen(true)), Option.some(seen(false))]) {
        for (const [reads, writes] of [
          [true, true],
          [true, false],
          [false, true],
          [false, false]
        ] as const) {
          const read = { ...(yield* pools.read.metrics), reachable: reads }
          const write = { ...(yield* pools.write.metrics), reachable: writes }
          const streamed = yield* take(
            {
              read: { ...pools.read, metrics: Effect.succeed(read) },
              write: { ...pools.write, metrics: Effect.succeed(write) },
              metrics,
              health: { check: Effect.succeed(checked), last: Effect.succeed(last) },
              alerts: Option.none()
            },
            Option.none(),
            since
          )
          const recent = yield* metrics.recent
          const { poolHealth } = statusOf({
            read,
            write,
            totals: yield* metrics.totals,
            recent,
            last,
            since,
            now: since
          })
          expect(streamed.sample.status).toBe(poolHealth)
          const isThere =
            reads && writes && Option.match(last, { onNone: () => true, onSome: (_) => _.details.canConnect })
          expect(poolHealth).toBe(isThere ? "healthy" : "unhealthy")
        }
      }
    }).pipe(Effect.provide(wired(() => Response.json([]))))
)
