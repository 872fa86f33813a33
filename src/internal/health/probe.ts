/**
 * One small query to the database, on a pooled connection.
 *
 * It calls a function that does nothing (`supabase_pool_ping`, part of our migrations), since that reaches PostgreSQL and
 * costs it nothing. If the function is not installed, PostgREST's own error shows that it is there.
 */
import { Clock, Duration, Effect, Option } from "effect"
import type { Connection } from "../../Connection.js"
import type { RecentAnswers } from "../../Metrics.js"
import type { ConnectionPool, PoolMetrics } from "../../Pool.js"
import { ownHeader } from "../connection/fetchInput.js"
import { withoutSecretsOf } from "../connection/supabaseClient.js"
import { asNobody } from "../db/identity.js"
import { oneLine, period } from "../shared/text.js"

export interface ProbeResult {
  readonly reachable: boolean
  readonly time: Option.Option<Duration.Duration>
  readonly error: Option.Option<string>
}

/** A check that takes longer than this has failed. */
const limit = Duration.seconds(5)

const reachable = (time: Option.Option<Duration.Duration>): ProbeResult => ({
  reachable: true,
  time,
  error: Option.none()
})

const unreachable = (error: string): ProbeResult => ({
  reachable: false,
  time: Option.none(),
  error: Option.some(error)
})

/** 401: the key is refused, so nothing will work. 404 and other errors of PostgREST: it is there. */
const speaksAgainst = (status: number): boolean => status === 401 || status >= 500

interface Probed {
  readonly answer: ProbeResult
  /** One such answer proves nothing: it may be an idle socket that the other side had closed, or a gateway's hiccup. */
  readonly doubtful: boolean
}

/** The server's error text for the report: no page of a gateway, and nothing that was sent. Empty if there is no text. */
const wordsOf = (error: { readonly message?: unknown } | null, { client }: Connection): string =>
  typeof error?.message === "string" ? oneLine(withoutSecretsOf(client, error.message)) : ""

const ask = (connection: Connection): Effect.Effect<Probed> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    const { error, status } = yield* Effect.tryPromise(async () =>
      connection.client.rpc("supabase_pool_ping", {}, { get: true }).setHeader(ownHeader, "health")
    )
    if (status === 0) return { answer: unreachable(wordsOf(error, connection) || "no answer came"), doubtful: true }
    if (error !== null && speaksAgainst(status)) {
      return {
        answer: unreachable(`${wordsOf(error, connection) || "no reason was given"} (HTTP ${status})`),
        doubtful: true
      }
    }
    const ended = yield* Clock.currentTimeMillis
    return { answer: reachable(Option.some(Duration.millis(ended - started))), doubtful: false }
  }).pipe(
    Effect.catchAll((error) =>
      Effect.succeed({ answer: unreachable(`the answer is not PostgREST's: ${error.message}`), doubtful: true })
    )
  )

const through = (pool: ConnectionPool): Effect.Effect<ProbeResult> => {
  // One check serves all concurrent callers, so it uses the pool's key and not one caller's token.
  const once = asNobody(pool.use(ask))
  return Effect.flatMap(once, ({ answer, doubtful }) =>
    doubtful ? Effect.map(once, (second) => second.answer) : Effect.succeed(answer)
  ).pipe(
    Effect.catchAll((error) => Effect.succeed(unreachable(error.message))),
    Effect.timeoutTo({
      duration: limit,
      onSuccess: (answer) => answer,
      onTimeout: () => unreachable(`the database did not answer a health check within ${period(limit)}`)
    })
  )
}

/** A check on this pool would queue with the callers. A pool without any socket has no other evidence. */
const crowded = ({ active, max, pending, total }: PoolMetrics): boolean => active >= max || (pending > 0 && total > 0)

/**
 * On the read pool, or on the write pool if the read pool has nothing free. If neither has, it does not queue with the
 * callers but judges by their results: open sockets with work in progress are an answer too, unless the database has
 * answered nothing recently.
 */
export const probe = (
  read: ConnectionPool,
  write: ConnectionPool,
  recent: Effect.Effect<RecentAnswers>
): Effect.Effect<ProbeResult> =>
  Effect.gen(function* () {
    for (const pool of [read, write]) if (!crowded(yield* pool.metrics)) return yield* through(pool)
    const { reachable: connects } = yield* read.metrics
    const { answered, unanswered } = yield* recent
    if (unanswered > 0 && answered === 0) {
      return unreachable("every connection is busy, and no operation was answered in the last minute")
    }
    return connects ? reachable(Option.none()) : unreachable("every connection is busy and no other can be opened")
  })
