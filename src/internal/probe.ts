/**
 * One small question to the database, on a pooled connection.
 *
 * It calls a function that does nothing (`supabase_pool_ping`, part of our migrations), since that goes all the way to
 * PostgreSQL and costs it nothing. Where the function is not installed, PostgREST says so itself: it is there.
 */
import { Clock, Duration, Effect, Option } from "effect"
import type { Connection } from "../Connection.js"
import type { ConnectionPool, PoolMetrics } from "../Pool.js"
import { period } from "./words.js"

export interface Answer {
  readonly reachable: boolean
  readonly time: Option.Option<Duration.Duration>
  readonly error: Option.Option<string>
}

/** A check that takes longer than this has failed. */
const limit = Duration.seconds(5)

const reachable = (time: Option.Option<Duration.Duration>): Answer => ({ reachable: true, time, error: Option.none() })

const unreachable = (error: string): Answer => ({
  reachable: false,
  time: Option.none(),
  error: Option.some(error)
})

/** 401: the key is refused, so nothing will work. 404 and other words of PostgREST's: it is there. */
const speaksAgainst = (status: number): boolean => status === 0 || status === 401 || status >= 500

const ask = (connection: Connection): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    const { error, status } = yield* Effect.promise(async () =>
      connection.client.rpc("supabase_pool_ping", {}, { get: true })
    )
    if (error !== null && speaksAgainst(status)) {
      return unreachable(status === 0 ? error.message : `${error.message} (HTTP ${status})`)
    }
    return reachable(Option.some(Duration.millis((yield* Clock.currentTimeMillis) - started)))
  })

const saturated = ({ active, max }: PoolMetrics): boolean => active >= max

const through = (pool: ConnectionPool): Effect.Effect<Answer> =>
  pool.use(ask).pipe(
    Effect.catchAll((error) => Effect.succeed(unreachable(error.message))),
    Effect.timeoutTo({
      duration: limit,
      onSuccess: (answer) => answer,
      onTimeout: () => unreachable(`the database did not answer a health check within ${period(limit)}`)
    })
  )

/**
 * By way of the read pool, or of the write pool where that has nothing free. Where neither has, it does not queue with
 * the callers: open sockets on which work is going on are an answer too.
 */
export const probe = (read: ConnectionPool, write: ConnectionPool): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const reading = yield* read.metrics
    if (!saturated(reading)) return yield* through(read)
    const writing = yield* write.metrics
    if (!saturated(writing)) return yield* through(write)
    return reading.reachable
      ? reachable(Option.none())
      : unreachable("every connection is busy and no other can be opened")
  })
