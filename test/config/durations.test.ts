import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Either, FastCheck, Option } from "effect"
import * as Config from "../../src/Config.js"

type Environment = Readonly<Record<string, string>>

const loadPool = (environment: Environment) =>
  Config.load.pipe(
    Effect.map(({ pool }) => pool),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
  )

const mistakes = (environment: Environment) =>
  Effect.matchEffect(loadPool(environment), {
    onFailure: (error) => Effect.succeed(error.mistakes),
    onSuccess: () => Effect.die(new Error("no mistake was found"))
  })

describe("durations", () => {
  const units = [
    ["ms", 1],
    ["millis", 1],
    ["s", 1000],
    [" second", 1000],
    [" seconds", 1000],
    ["m", 60_000],
    [" Minutes", 60_000],
    [" hour", 3_600_000],
    ["  days", 86_400_000],
    ["w", 604_800_000]
  ] as const
  const unit = FastCheck.constantFrom(...units)
  it.prop(
    "a number with a unit is that many milliseconds, in a variable, in JSON and in code",
    [FastCheck.integer({ min: 1, max: 3 }), unit],
    ([amount, [name, scale]]) => {
      const text = `${amount}${name}`
      const expected = Either.right(Duration.millis(amount * scale))
      const idle = (environment: Environment) =>
        Effect.runSync(Effect.either(Effect.map(loadPool(environment), (pool) => pool.idleTimeout)))
      expect(idle({ DB_POOL_IDLE_TIMEOUT: text })).toEqual(expected)
      expect(idle({ DB_POOL_CONFIG: JSON.stringify({ idleTimeout: text }) })).toEqual(expected)
      expect(idle({ DB_POOL_IDLE_TIMEOUT: String(amount * scale) })).toEqual(expected)
    }
  )

  it.prop(
    "whatever Duration makes of an input is what comes out, unless it is refused",
    [
      FastCheck.oneof(
        FastCheck.double(),
        FastCheck.bigInt(),
        FastCheck.tuple(FastCheck.double(), FastCheck.double()),
        FastCheck.integer({ min: 1, max: 2 ** 31 - 1 }),
        FastCheck.integer({ min: 1, max: 1000 }).map((n): Duration.DurationInput => `${n} minutes`),
        FastCheck.integer().map(Duration.millis)
      )
    ],
    ([idleTimeout]) => {
      const options = Config.poolOptions({ idleTimeout })
      if (Either.isLeft(options)) {
        expect(options.left.mistakes).toHaveLength(1)
        return
      }
      const millis = Duration.toMillis(options.right.idleTimeout)
      expect(millis).toBeCloseTo(Duration.toMillis(Duration.decode(idleTimeout)), 3)
      expect(millis >= 1 && millis <= 2 ** 31 - 1).toBe(true)
    }
  )

  it.each([
    "soon",
    "5 parsecs",
    "30.000",
    "30,000",
    "1e3",
    "0x10",
    "seconds",
    "--1",
    "1 2 s",
    "NaN",
    "Infinity",
    "-1",
    "- 5 s",
    "0",
    "0s",
    "2147483648",
    "25 days",
    "0.5ms"
  ])("%s is refused as a duration", (text) => {
    const found = Effect.runSync(mistakes({ DB_POOL_IDLE_TIMEOUT: text }))
    expect(found).toMatchObject([{ variable: "DB_POOL_IDLE_TIMEOUT", value: text }])
  })

  it.effect("zero turns off what can be turned off, and is refused elsewhere", () =>
    Effect.gen(function* () {
      const off = yield* loadPool({
        DB_POOL_LEAK_DETECTION_TIMEOUT: "0",
        DB_POOL_MAX_LIFETIME: "0 s",
        DB_POOL_KEEPALIVE_INTERVAL: "0ms",
        DB_POOL_MAX_RETRIES: "0"
      })
      expect([off.leakDetectionTimeout, off.maxLifetime, off.keepaliveInterval]).toEqual([
        Duration.zero,
        Duration.zero,
        Duration.zero
      ])
      expect(off.maxRetries).toBe(0)
      for (const { name, option } of Config.variables) {
        if (
          Option.isNone(option) ||
          /LEAK|LIFETIME|KEEPALIVE|RETRIES|JITTER|ENABLE|ADAPTIVE|NOTICE|COMPRESSION|TRANSPORT|PROXY|_CA$|CLIENT_/.test(
            name
          )
        )
          continue
        expect(yield* mistakes({ [name]: "0" })).toMatchObject([{ variable: name, value: "0", problem: "zero" }])
      }
    })
  )
})
