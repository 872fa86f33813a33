/** When trying again is safe, and when it happens: pure functions of values, tried on all of them. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Duration, Effect, FastCheck, Random, Schedule } from "effect"
import {
  AcquireTimeout,
  ConnectionFailed,
  ConnectionReclaimed,
  type DbError,
  DecodeError,
  GuardFailed,
  PoolClosed,
  PoolOverloaded,
  QueryError,
  RateLimited,
  ReadOnlyConnection,
  RequestTimeout,
  RowNotFound,
  TransactionFailed
} from "../../src/Errors.js"
import * as Retry from "../../src/Retry.js"

const answer = (status: number, code: string, retryAfter?: Duration.Duration): QueryError =>
  new QueryError({ code, reason: "made up", details: "", hint: "", status, ...(retryAfter && { retryAfter }) })

const broken = (failure: ConnectionFailed["failure"], sent: boolean): ConnectionFailed =>
  new ConnectionFailed({ pool: "write", origin: "http://a", failure, code: "", sent })

const seconds = Duration.seconds

describe("the table", () => {
  type Row = readonly [name: string, error: DbError, read: boolean, write: boolean, idempotentWrite: boolean]

  const always = [true, true, true] as const
  const unlessExecuted = [true, false, true] as const
  const never = [false, false, false] as const

  const rows: ReadonlyArray<Row> = [
    ["connect refused", broken("refused", false), ...always],
    ["no address", broken("dns", false), ...always],
    ["no TLS", broken("tls", false), ...always],
    ["connecting took too long", broken("timeout", false), ...always],
    ["no route", broken("unreachable", false), ...always],
    ["no way through a proxy", broken("proxy", false), ...always],
    ["no more sockets here", broken("local", false), ...always],
    ["closed before the request left", broken("closed", false), ...always],
    ["PGRST000", answer(503, "PGRST000"), ...always],
    ["PGRST001", answer(503, "PGRST001"), ...always],
    ["PGRST002", answer(503, "PGRST002"), ...always],
    ["PGRST003", answer(504, "PGRST003"), ...always],
    ["429", answer(429, ""), ...always],
    ["429 with a gateway's code", answer(429, "over_request_rate_limit"), ...always],
    ["53300 too many connections", answer(503, "53300"), ...always],
    ["57P03 cannot connect now", answer(503, "57P03"), ...always],
    ["40001 serialization failure, as 500", answer(500, "40001"), ...always],
    ["40P01 deadlock, as 500", answer(500, "40P01"), ...always],
    ["closed after the request left", broken("closed", true), ...unlessExecuted],
    ["garbage for an answer", broken("protocol", true), ...unlessExecuted],
    ["no answer in time", new RequestTimeout({ pool: "write", timeout: seconds(1), sent: true }), ...unlessExecuted],
    ["timed out before it left", new RequestTimeout({ pool: "write", timeout: seconds(1), sent: false }), ...always],
    ...[502, 503, 504, 520, 521, 522, 523, 524].map(
      (status): Row => [`${status} without a code`, answer(status, ""), ...unlessExecuted]
    ),
    ["503 with a gateway's code", answer(503, "upstream_error"), ...unlessExecuted],
    ["500 without a code", answer(500, ""), ...never],
    ["2xx that is not JSON", answer(200, ""), ...never],
    ["400", answer(400, "PGRST100"), ...never],
    ["401", answer(401, "PGRST301"), ...never],
    ["404 without a code", answer(404, ""), ...never],
    ["unique violation", answer(409, "23505"), ...never],
    ["row level security", answer(403, "42501"), ...never],
    ["disk full", answer(503, "53100"), ...never],
    ["the signal of the caller", answer(0, "ABORTED"), ...never],
    ["a refused request", answer(0, "INVALID_REQUEST"), ...never],
    ["no row", new RowNotFound({ table: "a", details: "" }), ...never],
    ["a guard", new GuardFailed({ step: 0, operation: "", id: "", column: "a", guard: "" }), ...never],
    ["decoding", new DecodeError({ table: "a", id: "1", path: "b", issue: "no" }), ...never],
    ["not a read", new ReadOnlyConnection({ method: "POST", path: "/" }), ...never],
    ["used after its release", broken("returned", false), ...never],
    ["a leak", new ConnectionReclaimed({ pool: "read", connectionId: "1", held: seconds(1), sent: true }), ...never],
    ["pool closed", new PoolClosed({ pool: "read", sent: false }), ...never],
    ["pool overloaded", new PoolOverloaded({ pool: "read", pending: 1, maxPending: 1 }), ...never],
    ["rate limited", new RateLimited({ key: "a", retryAfter: seconds(1) }), ...never],
    [
      "no connection in time: the time for waiting is used up",
      new AcquireTimeout({ pool: "read", waited: seconds(1), active: 1, max: 1, pending: 0, longestHeld: seconds(1) }),
      ...never
    ],
    [
      "a transaction that was rolled back for others' sake",
      new TransactionFailed({ step: 0, operation: "insert", code: "40001", reason: "", hint: "" }),
      ...always
    ],
    [
      "a transaction that broke a constraint",
      new TransactionFailed({ step: 0, operation: "insert", code: "23505", reason: "", hint: "" }),
      ...never
    ]
  ]

  it.each(rows)("%s", (_, error, read, write, idempotentWrite) => {
    expect(Retry.isRetryable(error, { mode: "read", idempotent: false })).toBe(read)
    expect(Retry.isRetryable(error, { mode: "write", idempotent: false })).toBe(write)
    expect(Retry.isRetryable(error, { mode: "write", idempotent: true })).toBe(idempotentWrite)
  })

  const anyError: FastCheck.Arbitrary<DbError> = FastCheck.oneof(
    FastCheck.constantFrom(...rows.map(([, error]) => error)),
    FastCheck.tuple(
      FastCheck.integer({ min: 0, max: 599 }),
      FastCheck.oneof(FastCheck.constantFrom("", "40001", "40P01", "PGRST001", "53300", "08006"), FastCheck.string())
    ).map(([status, code]) => answer(status, code))
  )

  it("a write that may have been executed is never repeated unless that does no harm", () => {
    FastCheck.assert(
      FastCheck.property(anyError, (error) => {
        const repeated = Retry.isRetryable(error, { mode: "write", idempotent: false })
        expect(repeated && error.mayHaveExecuted).toBe(false)
      }),
      { numRuns: 2_000 }
    )
  })

  it("what cannot succeed a moment later is repeated by nobody", () => {
    FastCheck.assert(
      FastCheck.property(
        anyError,
        FastCheck.boolean(),
        FastCheck.constantFrom("read" as const, "write" as const),
        (error, yes, mode) => {
          expect(Retry.isRetryable(error, { mode, idempotent: yes }) && !error.isTransient).toBe(false)
        }
      )
    )
  })

  it("the database's own word that a connection was lost leaves open whether it was executed", () => {
    for (const code of ["08006", "08007", "08003", "40003"]) expect(answer(503, code).mayHaveExecuted).toBe(true)
    for (const code of ["23505", "42501", "PGRST204", "57014"]) expect(answer(500, code).mayHaveExecuted).toBe(false)
    expect(answer(502, "BAD_GATEWAY").mayHaveExecuted).toBe(true)
  })
})

/** The delays before each repetition of an operation that fails with these errors. */
const delaysOf = (delays: Retry.Delays, errors: ReadonlyArray<DbError>): Effect.Effect<ReadonlyArray<number>> =>
  Effect.map(Schedule.run(Retry.schedule(delays), 0, errors), (out) =>
    Chunk.toReadonlyArray(out).map((delay) => Duration.toMillis(delay))
  )

const retryable = broken("refused", false)

describe("the delays", () => {
  it.effect("are exactly retryDelay × 2ⁿ without jitter, maxRetries times", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.integer({ min: 1, max: 60_000 }),
          FastCheck.integer({ min: 0, max: 12 }),
          async (base, maxRetries) => {
            const delays = { maxRetries, retryDelay: Duration.millis(base), retryJitter: false }
            const out = await Effect.runPromise(
              delaysOf(
                delays,
                Array.from({ length: 20 }, () => retryable)
              )
            )
            expect(out.slice(0, maxRetries)).toEqual(Array.from({ length: maxRetries }, (_, n) => base * 2 ** n))
          }
        )
      )
    )
  )

  it.effect("stay within ×0.8 and ×1.2 with jitter, and differ", () =>
    Effect.gen(function* () {
      const delays = { maxRetries: 10, retryDelay: seconds(1), retryJitter: true }
      const seen = new Set<number>()
      for (let seed = 0; seed < 100; seed++) {
        const out = yield* delaysOf(
          delays,
          Array.from({ length: 10 }, () => retryable)
        ).pipe(Effect.withRandom(Random.make(seed)))
        out.slice(0, 10).forEach((delay, n) => {
          expect(delay).toBeGreaterThanOrEqual(800 * 2 ** n)
          expect(delay).toBeLessThanOrEqual(1_200 * 2 ** n)
          seen.add(delay)
        })
      }
      expect(seen.size).toBeGreaterThan(500)
    })
  )

  it.effect("never exceed what a timer can count, however many retries there are", () =>
    Effect.gen(function* () {
      const delays = { maxRetries: 100, retryDelay: seconds(60), retryJitter: true }
      const out = yield* delaysOf(
        delays,
        Array.from({ length: 100 }, () => retryable)
      )
      expect(out.length).toBe(100)
      const longest = Math.max(...out)
      expect(longest).toBeLessThan(2_147_483_647)
      expect(Duration.toDays(longest)).toBeCloseTo(24)
    })
  )

  it.effect("are never less than what the server asks for, up to thirty seconds", () =>
    Effect.gen(function* () {
      const delays = { maxRetries: 4, retryDelay: seconds(1), retryJitter: false }
      const asked = [seconds(10), seconds(1), seconds(3_600), Duration.zero]
      const out = yield* delaysOf(
        delays,
        asked.map((retryAfter) => answer(503, "PGRST001", retryAfter))
      )
      expect(out.slice(0, 4)).toEqual([10_000, 2_000, 30_000, 8_000])
    })
  )
})

describe("Retry-After", () => {
  const now = Date.parse("Tue, 15 Nov 1994 08:12:00 GMT")
  const asked = (header: string | null): number | undefined => {
    const parsed = Retry.parseRetryAfter(header, now)
    return parsed === undefined ? undefined : Duration.toMillis(parsed)
  }

  it.each<readonly [string | null, number | undefined]>([
    [null, undefined],
    ["", undefined],
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["Tue, 15 Nov 1994 08:12:31 GMT", 31_000],
    ["Tuesday, 15-Nov-94 08:12:31 GMT", 31_000],
    ["Tue Nov 15 08:12:31 1994", 31_000],
    ["Tue, 15 Nov 1994 08:11:31 GMT", 0],
    ["-5", undefined],
    ["1.5", undefined],
    ["1e9", undefined],
    ["soon", undefined],
    ["Tuesday", undefined],
    ["abc 5 2099", undefined],
    ["99999999999999999999999", 2_073_600_000]
  ])("%j asks for %s ms", (header, millis) => {
    expect(asked(header)).toBe(millis)
  })

  it("takes a date without a zone for GMT, wherever this runs", () => {
    const before = process.env["TZ"]
    try {
      process.env["TZ"] = "America/New_York"
      expect(asked("Tue Nov 15 08:12:31 1994")).toBe(31_000)
    } finally {
      if (before === undefined) delete process.env["TZ"]
      else process.env["TZ"] = before
    }
  })

  it("is never negative, endless or no number, whatever the header is", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(FastCheck.string(), FastCheck.date().map(String)), (header) => {
        const millis = asked(header) ?? 0
        expect(millis >= 0 && Number.isFinite(millis)).toBe(true)
      })
    )
  })
})

describe("the budget", () => {
  it("is the reserve at first, and a fifth of the successes from then on", () => {
    const budget = Retry.makeBudget({ share: 0.2, reserve: 3 })
    const take = (): number => {
      let taken = 0
      while (budget.withdraw()) taken += 1
      return taken
    }
    expect(take()).toBe(3)
    for (let i = 0; i < 4; i++) budget.deposit()
    expect(take()).toBe(0)
    for (let i = 0; i < 7; i++) budget.deposit()
    expect(take()).toBe(2)
  })

  it("lets a hundred retries through before it asks for five successes each, by default", () => {
    const budget = Retry.makeBudget()
    const take = (): number => {
      let taken = 0
      while (taken < 10_000 && budget.withdraw()) taken += 1
      return taken
    }
    expect(take()).toBe(100)
    for (let i = 0; i < 51; i++) budget.deposit()
    expect(take()).toBe(10)
  })

  it("saves no more than ten times the reserve", () => {
    const budget = Retry.makeBudget({ share: 0.5, reserve: 2 })
    for (let i = 0; i < 1_000; i++) budget.deposit()
    let taken = 0
    while (budget.withdraw()) taken += 1
    expect(taken).toBe(20)
  })
})
