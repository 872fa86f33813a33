/**
 * The counters of `RateLimit` in Redis. Only `RateLimit.layerRedis` loads this file.
 *
 * One script takes and reports, so that two processes cannot both take the last operation. It counts by Redis's clock, and
 * knows the end of a window to a fraction of a millisecond: a limit of 3 per second refills each 333.3 ms, and a limit of a
 * million each microsecond.
 */

import { type Context, Duration, Effect, Redacted, type Scope } from "effect"
import type * as Redis from "redis"
import { RateLimiterStore, RateLimitStoreError } from "#rateLimiter"
import { inNone } from "../internal/shared/asyncContext.js"
import { optionalPeer } from "../internal/shared/optionalPeer.js"
import type { RedisOptions } from "../RateLimit.js"

const clock = `
local time = redis.call("TIME")
local now = time[1] * 1000 + time[2] / 1000
local first, second = string.match(redis.call("GET", KEYS[1]) or "", "^(%S+) (%S+)$")
local tokens, refill, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function keep(a, b, till)
  redis.call("SET", KEYS[1], string.format("%.17g %.3f", a, b), "PX", math.max(1, math.ceil(till - now)))
end
`

const fixedWindow = `${clock}
local count, till = tonumber(first) or 0, tonumber(second) or now
if till <= now then count, till = 0, now end
if not limit or count + tokens <= limit then
  count, till = count + tokens, till + refill * tokens
  keep(count, till, till)
  return { tostring(count), string.format("%.3f", till - now) }
end
return { tostring(count + tokens), string.format("%.3f", till - now) }
`

const tokenBucket = `${clock}
local held, since = tonumber(first) or limit, tonumber(second) or now
local refilled = math.floor((now - since) / refill)
held, since = math.min(limit, held + refilled), since + refilled * refill
local left = held - tokens
if left >= 0 or ARGV[4] == "1" then held = left end
keep(held, since, since + math.max(1, limit - held) * refill)
return { tostring(left) }
`

const defaultPrefix = "supabase-pool:rate:"
const defaultTimeout = Duration.millis(250)
/** Between two attempts to reach Redis again, in ms. */
const reconnect = (attempt: number): number => Math.min(1_000, 50 * 2 ** Math.min(attempt, 5))

const failed = (message: string, cause?: unknown): RateLimitStoreError => new RateLimitStoreError({ message, cause })

/** An unparsable URL may hold a password, and the parser's error repeats it. */
const unreadable = (): TypeError =>
  new TypeError(
    "RateLimit.layerRedis: the url cannot be read. Nothing was opened. " +
      "Give redis://host:6379, or rediss:// for TLS, with user:password@ before the host where Redis asks for them."
  )

/** The used part of the package, which only `RateLimit.layerRedis` loads. */
type Package = Pick<typeof Redis, "createClient">

const created = ({ createClient }: Package, options: RedisOptions) =>
  Effect.orDieWith(
    Effect.try(() =>
      createClient({
        url: typeof options.url === "string" ? options.url : Redacted.value(options.url),
        // While Redis is unreachable, the limiter decides at once, instead of waiting for its return.
        disableOfflineQueue: true,
        socket: { reconnectStrategy: reconnect }
      })
    ),
    unreadable
  )

const connected = (redis: Package, options: RedisOptions) =>
  Effect.acquireRelease(
    Effect.map(created(redis, options), (client) => {
      // Each operation gets its own failure; an unhandled event would end the process.
      client.on("error", () => {})
      // Operations before the first connection is open wait for it, within the timeout.
      const first = inNone(() => client.connect())
      first.catch(() => {})
      return { client, first }
    }),
    ({ client }) => Effect.sync(() => client.destroy())
  )

/** A store for `RateLimit.layerStore`. */
type Make = (options: RedisOptions) => Effect.Effect<Context.Tag.Service<RateLimiterStore>, never, Scope.Scope>

const makeWith =
  (redis: Package): Make =>
  (options) =>
    Effect.map(connected(redis, options), ({ client, first }) => {
      const { prefix = defaultPrefix, timeout = defaultTimeout } = options
      const run = (script: string, key: string, values: ReadonlyArray<number>) =>
        Effect.tryPromise({
          try: () => first.then(() => client.eval(script, { keys: [prefix + key], arguments: values.map(String) })),
          catch: (cause) => failed(cause instanceof Error ? cause.message : "Redis refused the command", cause)
        }).pipe(
          Effect.timeoutFail({ duration: timeout, onTimeout: () => failed("Redis did not answer in time") }),
          Effect.flatMap((reply) => {
            const numbers = Array.isArray(reply) ? reply.map(Number) : []
            const [first, second = 0] = numbers
            return first === undefined || numbers.some(Number.isNaN)
              ? Effect.fail(failed("Redis answered something else than numbers"))
              : Effect.succeed([first, second] as const)
          })
        )
      return RateLimiterStore.of({
        fixedWindow: ({ key, limit, refillRate, tokens }) =>
          run(fixedWindow, key, [tokens, Duration.toMillis(refillRate), ...(limit === undefined ? [] : [limit])]),
        tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
          Effect.map(
            run(tokenBucket, key, [tokens, Duration.toMillis(refillRate), limit, allowOverflow ? 1 : 0]),
            ([left]) => left
          )
      })
    })

/**
 * Loads the package `redis`; rejects if it is not installed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = (): Promise<Make> => optionalPeer<Package>("redis").then(makeWith)
