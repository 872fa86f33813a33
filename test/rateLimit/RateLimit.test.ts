/** Who may do how much: in virtual time in memory, and on a real Redis that processes share and that goes away. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import * as RateLimiter from "@effect/experimental/RateLimiter"
import { describe, expect, it } from "@effect/vitest"
import {
  type Context,
  Duration,
  Effect,
  Either,
  FastCheck as fc,
  Layer,
  Logger,
  LogLevel,
  Runtime,
  TestClock,
  TestContext
} from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as MemoryStore from "../../src/internal/rateLimit/memoryStore.js"
import * as Pool from "../../src/Pool.js"
import * as RedisStore from "../../src/RateLimit/Redis.js"
import * as RateLimit from "../../src/RateLimit.js"
import { failureOf } from "../support/httpServer.js"
import { program } from "../support/program.js"
import * as Redis from "../support/redis.js"
import { eachShows, withSuite } from "../support/reliability.js"

const rows = () => Response.json([{ id: 1 }])

const read = Db.read((client) => client.from("products").select("id"))

const two = { rateLimit: 2, rateLimitWindow: "1 second" } as const

const limited = Effect.provide(Db.layerTest(rows, two))

/** Messages that were logged while it ran. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.as(effect, lines).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

const admitted = Effect.map(Effect.either(RateLimit.admit), Either.isRight)

eachShows("Rate limiting", withSuite)

describe("the limit on operations", () => {
  it.effect("lets as many in as the window allows, tells the next when to come back, and keeps that promise", () =>
    Effect.gen(function* () {
      yield* Effect.all([read, read])
      const error = yield* failureOf(read)
      expect(error).toMatchObject({ _tag: "RateLimited", key: "default", isTransient: true, mayHaveExecuted: false })
      const wait = error._tag === "RateLimited" ? error.retryAfter : Duration.zero
      expect(Duration.toMillis(wait)).toBe(1_000)
      yield* TestClock.adjust(Duration.subtract(wait, "1 millis"))
      expect(yield* failureOf(read)).toMatchObject({ _tag: "RateLimited" })
      yield* TestClock.adjust("1 millis")
      expect(yield* read).toEqual([{ id: 1 }])
    }).pipe(limited)
  )

  it.effect("acts before a connection is asked for: who is refused takes no place and sends nothing", () =>
    Effect.gen(function* () {
      const before = yield* Effect.flatMap(Pool.WritePool, (pool) => pool.metrics)
      const write = Db.write((client) => client.from("products").insert({ id: 1 }))
      yield* Effect.all([write, write])
      yield* Effect.repeatN(failureOf(write), 99)
      const after = yield* Effect.flatMap(Pool.WritePool, (pool) => pool.metrics)
      expect(after.acquired - before.acquired).toBe(2)
    }).pipe(limited)
  )

  it.effect("counts each key by itself, and everything inside `withKey` under that key", () =>
    Effect.gen(function* () {
      yield* Effect.all([read, read, read], { mode: "either" }).pipe(RateLimit.withKey("ann"))
      expect(yield* failureOf(read).pipe(RateLimit.withKey("ann"))).toMatchObject({ key: "ann" })
      expect(yield* read.pipe(RateLimit.withKey("bob"))).toEqual([{ id: 1 }])
      expect(yield* read).toEqual([{ id: 1 }])
    }).pipe(limited)
  )

  it.effect("counts every kind of operation, and not what the pool does by itself", () =>
    Effect.gen(function* () {
      yield* Db.rpc("now", {}, { get: true })
      yield* Db.transaction([(client) => client.from("a").insert({ id: 1 })]).pipe(Effect.exit)
      const others = [
        failureOf(read),
        failureOf(Db.rpc("now")),
        failureOf(Db.response((client) => client.from("a").select("*")))
      ]
      for (const other of others) expect(yield* other).toMatchObject({ _tag: "RateLimited" })
      expect(yield* Effect.scoped(Effect.flatMap(Pool.ReadPool, (pool) => pool.connection))).toBeDefined()
    }).pipe(limited)
  )

  it.effect("is off unless `rateLimit` says otherwise", () =>
    Effect.repeatN(read, 99).pipe(Effect.provide(Db.layerTest(rows)))
  )

  it.effect("is the one that `Db.layer` is given, where it is given one", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(read)).toMatchObject({ _tag: "RateLimited", key: "default from above" })
    }).pipe(
      Effect.provide(
        Db.layerTest(rows).pipe(
          Layer.provide(
            Layer.succeed(RateLimit.RateLimit, {
              admit: (key) => Effect.fail(new Db.RateLimited({ key: `${key} from above`, retryAfter: Duration.zero }))
            })
          )
        )
      )
    )
  )

  it.effect("never lets more in than twice the limit in any window, and all who keep to its pace", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 12 }),
          fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 10, maxLength: 25, size: "max" }),
          (limit, pauses) => Effect.runPromise(pace(limit, pauses))
        ),
        { numRuns: 20 }
      )
    )
  )

  const pace = (limit: number, pauses: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const times: Array<number> = []
      let now = 0
      for (const pause of pauses) {
        yield* TestClock.adjust(Duration.millis(pause))
        now += pause
        if (yield* admitted) times.push(now)
      }
      for (const from of times) {
        expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(2 * limit)
      }
      if (pauses.every((pause) => pause >= 1_000 / limit)) expect(times.length).toBe(pauses.length)
    }).pipe(
      Effect.provide(
        RateLimit.layer.pipe(
          Layer.provide(Layer.orDie(Config.PoolConfig.layerOf({ rateLimit: limit, rateLimitWindow: 1_000 }))),
          Layer.provideMerge(TestContext.TestContext)
        )
      )
    )
})

describe("a store of somebody else's", () => {
  /** Gone, or there and without anything left. */
  class Store {
    state: "gone" | "exhausted" = "gone"
    readonly layer = Layer.succeed(
      RateLimiter.RateLimiterStore,
      RateLimiter.RateLimiterStore.of({
        fixedWindow: () =>
          Effect.suspend(() =>
            this.state === "gone"
              ? Effect.fail(new RateLimiter.RateLimitStoreError({ message: "gone" }))
              : Effect.succeed([9, 5_000] as const)
          ),
        tokenBucket: () => Effect.dieMessage("not asked")
      })
    )
  }

  it.effect("is in the log once when it goes, however often it is missed, and once when it is back", () => {
    const store = new Store()
    return Effect.gen(function* () {
      const outcomes: Array<boolean> = []
      const lines = yield* logged(
        Effect.gen(function* () {
          for (let n = 0; n < 3; n += 1) {
            outcomes.push(yield* admitted)
            yield* TestClock.adjust("2 seconds")
          }
          store.state = "exhausted"
          outcomes.push(yield* admitted, yield* admitted)
        })
      )
      expect(outcomes).toEqual([true, true, true, false, false])
      expect(lines).toEqual([
        "the rate limit's store cannot be reached: every operation is allowed until it is back",
        "the rate limit's store is back"
      ])
    }).pipe(
      Effect.provide(
        RateLimit.layerStore().pipe(Layer.provide(store.layer), Layer.provide(Config.PoolConfig.layerOf(two)))
      )
    )
  })
})

describe("the store in memory", () => {
  it.effect("forgets a key whose window is over, however many there are", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      for (let n = 0; n < 20_000; n += 1) {
        yield* store.fixedWindow({ key: `k${n}`, tokens: 1, refillRate: Duration.millis(10), limit: 5 })
        yield* store.tokenBucket({
          key: `k${n}`,
          tokens: 1,
          refillRate: Duration.millis(10),
          limit: 5,
          allowOverflow: false
        })
        if (n % 100 === 0) yield* TestClock.adjust("10 millis")
      }
      expect(store.size()).toBeLessThan(5_000)
    })
  )
})

const twoAnHour = Config.PoolConfig.layerOf({ rateLimit: 2, rateLimitWindow: "1 hour" })

const uses = fc.record({
  tokens: fc.integer({ min: 0, max: 3 }),
  bucket: fc.boolean(),
  key: fc.constantFrom("a", "b"),
  capped: fc.boolean()
})

// An hour for seven tokens, so that the time between two commands decides nothing, and no whole number for one.
const refillRate = Duration.millis(3_600_000 / 7)

const answer = (
  store: Context.Tag.Service<RateLimiter.RateLimiterStore>,
  { bucket, capped, key, tokens }: typeof uses extends fc.Arbitrary<infer A> ? A : never
) =>
  bucket
    ? Effect.map(
        store.tokenBucket({ key: `bucket ${key}`, tokens, refillRate, limit: 5, allowOverflow: capped }),
        (left) => [left]
      )
    : Effect.map(store.fixedWindow({ key, tokens, refillRate, limit: capped ? 5 : undefined }), ([count, ttl]) => [
        count,
        Math.round(ttl / 60_000)
      ])

describe.runIf(Redis.isInstalled)(Redis.titled("the store in Redis"), () => {
  it.live("answers what the store in memory answers, also for a limit that does not divide its window", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const redis = yield* Redis.make
        const make = yield* Effect.promise(RedisStore.load)
        const runtime = yield* Effect.runtime()
        let run = 0
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(uses, { maxLength: 12, size: "max" }), async (commands) => {
              run += 1
              await Runtime.runPromise(runtime)(
                Effect.scoped(
                  Effect.gen(function* () {
                    const shared = yield* make({
                      url: redis.url,
                      prefix: `${run}:`,
                      timeout: "5 seconds"
                    })
                    const own = yield* MemoryStore.make
                    const play = (store: Context.Tag.Service<RateLimiter.RateLimiterStore>) =>
                      Effect.forEach(commands, (command) => answer(store, command))
                    expect(yield* play(shared)).toEqual(yield* play(own))
                  })
                )
              )
            }),
            { numRuns: 25 }
          )
        )
      })
    )
  )

  it.live("is shared: two processes together are let do what one may", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const redis = yield* Redis.make
        const child = Effect.promise(async () => {
          const process_ = spawn(process.execPath, [program("test/support/rateLimitChild.ts"), redis.url, "80"], {
            stdio: ["ignore", "pipe", "inherit"]
          })
          const [output] = await Promise.all([text(process_.stdout), once(process_, "exit")])
          return Number(output)
        })
        const [first, second] = yield* Effect.all([child, child], { concurrency: 2 })
        expect(first + second).toBe(100)
        expect(Math.min(first, second)).toBeGreaterThanOrEqual(20)
      })
    )
  )

  for (const whenUnavailable of ["open", "closed"] as const) {
    it.live(
      `that is gone is logged once, lets ${whenUnavailable === "open" ? "everybody" : "nobody"} in, and is used again when it is back`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const redis = yield* Redis.make
            const lines = yield* logged(
              Effect.gen(function* () {
                expect([yield* admitted, yield* admitted, yield* admitted]).toEqual([true, true, false])
                yield* redis.kill
                const meanwhile = yield* Effect.replicateEffect(admitted, 50)
                expect(new Set(meanwhile)).toEqual(new Set([whenUnavailable === "open"]))
                yield* redis.start
                // Its counters were in memory; whoever is refused now is refused by it.
                yield* Effect.repeat(
                  admitted.pipe(RateLimit.withKey("after"), Effect.zipLeft(Effect.sleep("50 millis"))),
                  {
                    until: (isIn) => isIn === (whenUnavailable === "closed")
                  }
                )
              }).pipe(
                Effect.provide(Layer.provide(RateLimit.layerRedis({ url: redis.url, whenUnavailable }), twoAnHour))
              )
            )
            expect(lines).toEqual([
              `the rate limit's store cannot be reached: ${whenUnavailable === "open" ? "every" : "no"} operation is allowed until it is back`,
              "the rate limit's store is back"
            ])
          })
        )
    )
  }

  it.live("that falls silent costs one operation its timeout, and the others nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const redis = yield* Redis.make
        yield* Effect.gen(function* () {
          expect(yield* admitted).toBe(true)
          yield* redis.freeze
          // Each waiting for its own timeout would take a quarter of an hour.
          const outcomes = yield* Effect.replicateEffect(admitted, 1_000).pipe(Effect.timeout("15 seconds"))
          expect(new Set(outcomes)).toEqual(new Set([true]))
          yield* redis.resume
        }).pipe(
          Effect.provide(Layer.provide(RateLimit.layerRedis({ url: redis.url, timeout: "1 second" }), twoAnHour)),
          Logger.withMinimumLogLevel(LogLevel.None)
        )
      })
    )
  )
})

it.live("importing the package loads no Redis client", () =>
  Effect.promise(async () => {
    const script =
      "import { createRequire } from 'node:module'; await import('./src/index.ts'); " +
      "const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('redis')); " +
      "console.log(loaded.length)"
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"]
    })
    expect((await text(child.stdout)).trim()).toBe("0")
  })
)
