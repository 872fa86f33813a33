/** What the tests of transactions share: a small pool on the shared database, and errors as values that compare. */
import { Effect, Layer } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { embedded } from "./embedded.js"

const { url, anonKey, serviceRoleKey } = embedded

const quick: PoolOptionsInput = {
  minConnections: 2,
  maxConnections: 4,
  retryDelay: "5 millis",
  enableHealthChecks: false
}

/** The pool of one test file; `at` is another address of the same database, as of a proxy before it. */
export const database = (options: PoolOptionsInput = {}, at: string = url): Layer.Layer<Db.Provided> =>
  Layer.orDie(Db.layerOf({ url: at, anonKey, serviceRoleKey, ...quick, ...options }))

/** An error as far as a test compares it. */
export interface Failed {
  readonly failed: string
  readonly step?: number
  readonly operation?: string
  readonly code?: string
  readonly reason?: string
}

const failedOf = (error: Db.DbError): Failed =>
  error._tag === "TransactionFailed"
    ? { failed: error._tag, step: error.step, operation: error.operation, code: error.code, reason: error.reason }
    : error._tag === "QueryError"
      ? { failed: error._tag, code: error.code, reason: error.reason }
      : "step" in error && error.step !== undefined
        ? { failed: error._tag, step: error.step }
        : { failed: error._tag }

/** What it gives, or how it failed: both as values. */
export const settled = <A, R>(effect: Effect.Effect<A, Db.DbError, R>): Effect.Effect<A | Failed, never, R> =>
  Effect.match(effect, { onFailure: failedOf, onSuccess: (value): A | Failed => value })

/** How it failed; it must not succeed. */
export const failure = <A, R>(effect: Effect.Effect<A, Db.DbError, R>): Effect.Effect<Failed, never, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.succeed(failedOf(error)),
    onSuccess: () => Effect.die(new Error("it succeeded"))
  })
