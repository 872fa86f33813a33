/** `executeWithPool`: a caller's async function on a pooled connection, repeated where that is safe. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Cause, Effect, Exit, Option } from "effect"
import type { DbError, Mode } from "../../Errors.js"
import { isBuilder } from "../connection/builderFields.js"
import type { Tenure } from "../connection/tenure.js"
import type { Transport } from "../connection/transport.js"
import { callOperation } from "../db/callOperation.js"
import type { Cuts } from "../db/cuts.js"
import type { Ask } from "../db/operation.js"
import { errorOf, heardError, heedRetry, thrownError } from "../db/postgrestResult.js"
import { returned } from "../db/tracing.js"
import { AsyncContext, caller, outside } from "../shared/asyncContext.js"
import type { Running } from "./host.js"
import { spannedIn } from "./lateSpans.js"
import type { User } from "./user.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface ExecuteOptions {
  /** Executing it twice is the same as once, so a write may be retried even when its answer was lost. */
  readonly idempotent?: boolean | undefined
}

/**
 * What a caller does with a client; supabase-js's builders are `PromiseLike`, and so may be returned unawaited.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation<A, C = SupabaseClient> = (client: C) => PromiseLike<A> | A

interface FailedResponse {
  readonly error: object
  readonly status?: number
}

const isFailedResponse = (u: unknown): u is FailedResponse =>
  typeof u === "object" && u !== null && "data" in u && "error" in u && typeof u.error === "object" && u.error !== null

/** supabase-js answers a failure with a response and does not throw. A caller's own object may look like one. */
const failureIn = (value: unknown, asked: object, transport: Transport, now: number): DbError | undefined => {
  if (!isFailedResponse(value)) return undefined
  const { error, status } = value
  return isBuilder(asked) && typeof status === "number"
    ? errorOf({ error, status }, transport, now, asked)
    : heardError(error, transport, now, asked)
}

const isResponse = (u: unknown): u is { readonly data: unknown } =>
  typeof u === "object" && u !== null && "data" in u && "error" in u

/** What is said of a response whose rows may be cut, of what sent one request alone. */
const cutIn = (value: unknown, cuts: Cuts, tenure: Tenure): Effect.Effect<void> | undefined =>
  tenure.requests === 1 && isResponse(value) && Array.isArray(value.data)
    ? cuts.perhaps(value.data.length, tenure)
    : undefined

const isPromiseLike = <A>(u: PromiseLike<A> | A): u is PromiseLike<A> =>
  typeof u === "object" && u !== null && "then" in u && typeof u.then === "function"

/** Not by way of an `async` function, which would cost each operation a promise and three turns of the queue. */
const call = <A>(
  operation: Operation<A>,
  client: SupabaseClient,
  transport: Transport,
  returned: (value: A, asked: object) => void,
  threw: (thrown: unknown, asked: object) => void
): void => {
  try {
    const result = operation(client)
    if (!isPromiseLike(result)) {
      returned(result, client)
      return
    }
    heedRetry(result, transport)
    const asked = isBuilder(result) ? result : client
    result.then(
      (value) => returned(value, asked),
      (thrown: unknown) => threw(thrown, asked)
    )
  } catch (thrown) {
    threw(thrown, client)
  }
}

type Exited<A> = (exit: Exit.Exit<A, DbError>) => void

/** What an operation is run by, and by whom what takes longer is. */
interface Runner {
  readonly operations: Running["operations"]
  readonly fork: <A>(effect: Effect.Effect<A, DbError>) => { readonly addObserver: (observer: Exited<A>) => void }
}

/** How it is done, and for whom. */
export interface Execution {
  readonly mode: Mode
  readonly options: ExecuteOptions | undefined
  readonly user: User | undefined
}

/**
 * A response with an error in it fails the attempt, so that it is counted and repeated as any failure is; the last one
 * is what the caller gets, since a caller who returns a response looks into it.
 */
export const execute = <A>(
  running: Runner,
  operation: Operation<A>,
  { mode, options, user }: Execution,
  settle: Exited<A>
): void => {
  const { operations } = running
  let responses: Map<DbError, A> | undefined
  const context = new AsyncContext()
  const spanned = spannedIn(context)
  const ask: Ask<A, DbError> = (client, { transport }, ended, _token, fiber) => {
    // A caller's thenable may answer twice, and by then the connection may be another's.
    let settled = false
    const once: Exited<A> = (exit) => {
      if (settled) return
      settled = true
      // What goes on is ours, or that of who waits for the connection.
      outside(() => ended(exit))
    }
    const judged = (value: A, asked: object): Exit.Exit<A, DbError> => {
      try {
        const failure = failureIn(value, asked, transport, operations.now())
        if (failure === undefined) {
          if (spanned !== undefined && isResponse(value)) returned(fiber?.currentSpan, value.data)
          const said = cutIn(value, operations.cuts, transport.tenure)
          if (said !== undefined) outside(() => running.fork(said))
          return Exit.succeed(value)
        }
        responses ??= new Map()
        responses.set(failure, value)
        return Exit.fail(failure)
      } catch (thrown) {
        // A getter of the caller's. A promise would keep it to itself, and the connection.
        return Exit.die(thrown)
      }
    }
    const answered = (value: A, asked: object): void => once(judged(value, asked))
    const threw = (thrown: unknown, asked: object): void => {
      const error = thrownError(thrown, transport, operations.now(), asked)
      once(error === undefined ? Exit.die(thrown) : Exit.fail(error))
    }
    const within = fiber?.getFiberRef(caller) ?? context
    within.run(() => call(operation, client, transport, answered, threw))
  }
  const finish: Exited<A> = (exit) => {
    const error =
      responses === undefined ? Option.none() : Exit.causeOption(exit).pipe(Option.flatMap(Cause.failureOption))
    const response = Option.isSome(error) ? responses?.get(error.value) : undefined
    settle(response === undefined ? exit : Exit.succeed(response))
  }
  callOperation(
    operations,
    ask,
    { mode, idempotent: options?.idempotent, token: user?.tokenFor(running), forks: spanned !== undefined },
    (effect) => {
      // Where a function is asked for the token, that is the caller's.
      const asked = user === undefined ? effect : Effect.locally(effect, caller, context)
      outside(() => running.fork(spanned?.(asked) ?? asked)).addObserver(finish)
    },
    finish
  )
}
