/** Those who use the pools: each operation is known to the ledger, and none may outlast its limits. */
import { Cause, Clock, Duration, Effect, Exit, Option, Random } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import * as RateLimit from "../../src/RateLimit.js"
import { type Ledger, tallies } from "./counted.js"
import { longest } from "./limits.js"

/** Ids that the server must not forget until their caller has heard of them. */
let next = 0

const write = (ledger: Ledger, idempotent: boolean) =>
  Effect.suspend(() => {
    next += 1
    const id = `${next}`
    const row = { id, kind: idempotent ? "idempotent" : "plain" }
    const query = idempotent
      ? Db.write((client) => client.from("notes").upsert(row), { idempotent: true })
      : Db.write((client) => client.from("notes").insert(row))
    return Effect.onExit(inTime(query), (exit) =>
      Effect.sync(() => {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        const sure = Exit.isSuccess(exit) || error?.mayHaveExecuted === false
        if (!sure) {
          // It may still be executed, so it stays in the ledger, to be seen should that happen twice.
          tallies.doubtful += 1
          return
        }
        const executed = ledger.settle(id)
        if (Exit.isSuccess(exit) && executed === 0) tallies.missing += 1
        if (Exit.isFailure(exit) && executed > 0) tallies.liars += 1
      })
    )
  })

/** Counts an operation that outlasts its limits. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (since) =>
    Effect.ensuring(
      effect,
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (now - since > longest) tallies.slow += 1
      })
    )
  )

const read = inTime(Db.read((client) => client.from("notes").select("id")))

const count =
  (what: keyof typeof tallies) =>
  (given: Option.Option<unknown>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (Option.isNone(given)) tallies[what] += 1
    })

/** Held for much longer than the pool allows. Once lent it is reclaimed, also where its socket breaks in the meantime. */
const leak = Effect.scoped(
  Effect.gen(function* () {
    const pool = yield* Pool.ReadPool
    yield* pool.connection
    tallies.leaks += 1
    yield* Effect.sleep("4 seconds")
  })
)

const operation = (ledger: Ledger): Effect.Effect<unknown, Db.DbError, Db.Provided> =>
  Effect.flatMap(Random.nextIntBetween(0, 1_000), (dice): Effect.Effect<unknown, Db.DbError, Db.Provided> => {
    if (dice < 500) return read
    if (dice < 750) return write(ledger, false)
    if (dice < 940) return write(ledger, true)
    if (dice < 990) return Effect.tap(Effect.timeoutOption(read, "1 millis"), count("interrupted"))
    if (dice < 998) return Effect.replicateEffect(RateLimit.withKey("greedy")(read), 30)
    return leak
  })

/** Many at once, so that some are refused. */
export const burst = Effect.replicateEffect(
  Effect.tapError(read, (error) => count(outcomeOf(error))(Option.none())),
  400,
  {
    concurrency: "unbounded",
    discard: true
  }
).pipe(Effect.ignore)

const outcomeOf = (error: Db.DbError): keyof typeof tallies => {
  if (error._tag === "RateLimited") return "rateLimited"
  return error._tag === "PoolOverloaded" ? "overloaded" : "failed"
}

const outcome = (exit: Exit.Exit<unknown, Db.DbError>): keyof typeof tallies => {
  if (Exit.isSuccess(exit)) return "succeeded"
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return error === undefined ? "interrupted" : outcomeOf(error)
}

export const worker = (ledger: Ledger, until: number, name: string): Effect.Effect<void, never, Db.Provided> =>
  Effect.gen(function* () {
    while ((yield* Clock.currentTimeMillis) < until) {
      const exit = yield* Effect.exit(RateLimit.withKey(name)(operation(ledger)))
      tallies[outcome(exit)] += 1
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 20)))
    }
  })
