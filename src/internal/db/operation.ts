/**
 * One operation from the caller to the database and back: it is admitted, gets a lease from its pool, runs its body with the
 * lease's client, and gives the lease back. `repetition.ts` says whether another attempt follows a failure.
 *
 * It is one object with all that its steps know of each other: thousands may wait at once, and a closure for each step
 * would be held for as long.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import {
  Cause,
  Effect,
  Effectable,
  Either,
  Exit,
  type Fiber,
  identity,
  Option,
  type Redacted,
  RuntimeFlags
} from "effect"
import {
  type AcquireError,
  ConnectionFailed,
  type DbError,
  isDbError,
  type Mode,
  type QueryError
} from "../../Errors.js"
import type { PooledConnection } from "../connection/pooledConnection.js"
import type { Unsent } from "../metrics/queries.js"
import type { Borrower, Restore } from "../pool/acquisition.js"
import { type Caller, nobody } from "../pool/lease.js"
import type { ConnectionLease, DatabasePool } from "../pool/readWritePools.js"
import type { Signal } from "../shared/signal.js"
import { precise } from "../shared/time.js"
import { clientFor, type Token, tokenFor } from "./clientFor.js"
import type { OperationContext } from "./operationContext.js"
import { type Attempts, Repetition } from "./repetition.js"
import { mistaken, type RetryOptions } from "./retryOptions.js"
import * as Tracing from "./tracing.js"

export interface RunOptions {
  readonly mode: Mode
  /** The service-role key on a read connection. */
  readonly as?: "service" | undefined
  readonly idempotent?: boolean | undefined
  readonly retry?: RetryOptions | false | undefined
  /** Whom it is for, in place of the fiber's user. */
  readonly token?: Token | undefined
  /** What it is counted as where nothing could be sent. */
  readonly unsent?: Unsent | undefined
  /** The error that the caller gets in place of the request's own: it is counted under that name. */
  readonly explain?: ((error: DbError) => DbError) | undefined
}

/** What is done with the connection; `client` sends under the credentials that the operation has. */
export type Body<A, E, R> = (
  client: SupabaseClient,
  connection: PooledConnection,
  token: Redacted.Redacted | undefined
) => Effect.Effect<A, E, R>

type RunningFiber = Fiber.RuntimeFiber<unknown, unknown>

/** A body that is no effect: it tells once how it went. */
export type Ask<A, E> = (
  client: SupabaseClient,
  connection: PooledConnection,
  ended: (exit: Exit.Exit<A, E>) => void,
  token: Redacted.Redacted | undefined,
  /** Where one was needed. */
  fiber?: RunningFiber
) => void

/** Runs the body on a connection of its pool, in a span where the caller is in one. */
export const runOperation = <A, E, R>(
  context: OperationContext,
  body: Body<A, E, R>,
  options: RunOptions
): Effect.Effect<A, E | DbError, R> => {
  const wrong = options.retry === undefined ? undefined : mistaken(options.retry)
  if (wrong !== undefined) return Effect.fail(wrong)
  // As `Effect.uninterruptibleMask`, whose effects would be held by each operation that waits.
  return Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    const restore = RuntimeFlags.interruption(runtimeFlags) ? Effect.interruptible : Effect.uninterruptible
    const operation = new Operation(context, body, options, fiber, restore)
    const subject = fiber.getFiberRef(Tracing.subject)
    operation.unsent ??= subject?.unsent
    return Effect.uninterruptible(
      fiber.currentSpan === undefined ? admitted(context, operation) : traced(context, operation, subject)
    )
  })
}

const traced = <A, E, R>(
  context: OperationContext,
  operation: Operation<A, E, R>,
  subject: Tracing.Subject | undefined
): Effect.Effect<A, E | DbError, R> =>
  Tracing.operation(operation.mode, context.pools.read.options.origin, operation, subject, (tracing) => {
    operation.trace(tracing)
    return admitted(context, operation)
  })

/** Behind the rate limit, where there is one. */
const admitted = <A, E, R>(
  { admit }: OperationContext,
  operation: Operation<A, E, R>
): Effect.Effect<A, E | DbError, R> =>
  admit === undefined
    ? operation
    : Effect.matchCauseEffect(operation.restore(admit), {
        onSuccess: () => operation,
        onFailure: (refused) => operation.observed(Exit.failCause(refused))
      })

const isThere = <A>(u: A | undefined): u is A => u !== undefined

/** An effect itself; run it once, uninterruptibly: the waiting and the caller's code inside are interruptible, by `restore`. */
export class Operation<A, E, R>
  extends Effectable.Class<A, E | DbError, R>
  implements Attempts<A, E, R>, Borrower<PooledConnection, A, E | DbError, R>, Tracing.Traced
{
  /** When it began. */
  readonly since: number
  /** Since when it waits for a connection, over attempts that got none; undefined from when it has one. */
  private waitsSince: number | undefined
  /** How long it waited before that, over all attempts. What its own requests took does not count. */
  private waitedBefore = 0
  /** Attempts after the first. */
  retries = 0
  /** The builder said that it must not be repeated. */
  isOnce = false
  /** Of the last attempt; empty before there was one. */
  connectionId = ""
  /** For connections, over all attempts, in ms. */
  waited = 0
  /** The first request of the last attempt; empty when it sent none. */
  method = ""
  path = ""
  /** How many it sent. */
  requests = 0
  /** What is known of it though nothing was sent. */
  unsent: Unsent | undefined
  /** Requests of the last attempt that may have changed something. */
  writes = 0
  /** A function is asked for the token, anew for each attempt. */
  asksForToken = false
  /** A long question was hung up on: the next attempt asks first whether the socket is alive. */
  proves = false
  private within: Tracing.Tracing["within"] = identity
  private traceparent = ""
  readonly context: OperationContext
  private readonly pool: DatabasePool
  private readonly body: Body<A, E, R>
  readonly options: RunOptions
  readonly caller: Caller
  private readonly fiber: RunningFiber | undefined
  /** Of the last attempt. */
  restore: Restore

  constructor(
    context: OperationContext,
    body: Body<A, E, R>,
    options: RunOptions,
    fiber: RunningFiber | undefined,
    restore: Restore
  ) {
    super()
    this.context = context
    this.pool = context.poolOf(options.mode)
    this.body = body
    this.options = options
    this.unsent = options.unsent
    this.fiber = fiber
    this.caller = fiber ?? nobody
    this.restore = restore
    this.since = precise(context.clock)
    this.waitsSince = this.since
  }

  /** From now on in this span. */
  trace({ traceparent, within }: Tracing.Tracing): void {
    this.traceparent = traceparent
    this.within = within
  }

  commit(): Effect.Effect<A, E | DbError, R> {
    return this.attempt(undefined)
  }

  /** `limit`: how long it may wait for a lease, in ms. */
  private attempt(limit: number | undefined): Effect.Effect<A, E | DbError, R> {
    const lease = this.pool.takeIdle(this.caller)
    return lease === undefined ? this.pool.queue(this, limit) : this.lent(lease)
  }

  /**
   * The same for a caller without a fiber, which costs a third of what an operation does; false where it would have to
   * wait. `ask` tells how it went, and `left` is told what is left to do: an exit, where nothing is. `token` can be sent.
   */
  now(
    ask: Ask<A, E>,
    token: Redacted.Redacted | undefined,
    left: (rest: Effect.Effect<A, E | DbError, R>) => void
  ): boolean {
    const lease = this.pool.takeIdle(this.caller)
    if (lease === undefined) return false
    const connection = this.connect(lease)
    let isOver = false
    const over = (rest: () => Effect.Effect<A, E | DbError, R>): void => {
      if (isOver) return
      isOver = true
      connection.onTaken = undefined
      left(rest())
    }
    // What is asked may never end; the connection does.
    connection.onTaken = (error) => over(() => this.ended(Exit.fail(error)))
    const client = clientFor(this.context, connection, undefined, token)
    ask(client, connection, (exit) => over(() => this.giveBack(lease, exit)), token)
    return true
  }

  private connect(lease: ConnectionLease): PooledConnection {
    const connection = lease.resource
    this.connectionId = connection.id
    this.waited += lease.waited
    // A clock is looked at where somebody has to wait again only.
    this.waitedBefore += this.retries > 0 ? this.waitsNow : lease.waited
    this.waitsSince = undefined
    const { tenure } = connection.transport
    tenure.traceparent = this.traceparent
    tenure.notices = this.context.roundings !== undefined
    return connection
  }

  lent(lease: ConnectionLease): Effect.Effect<A, E | DbError, R> {
    const connection = this.connect(lease)
    const work = Effect.suspend((): Effect.Effect<A, E | DbError, R> => {
      const token = tokenFor(this.context, this.options, this.fiber)
      if (!Effect.isEffect(token)) return this.askedAs(connection, token)
      this.asksForToken = true
      return Effect.flatMap(token, (given) => this.askedAs(connection, given))
    })
    const asked: Effect.Effect<A, E | DbError, R> = this.proves ? Effect.zipRight(this.proof(connection), work) : work
    return Effect.matchCauseEffect(this.restore(this.within(asked)), {
      onSuccess: (value) => this.giveBack(lease, Exit.succeed(value)),
      onFailure: (cause) => this.giveBack(lease, Exit.failCause(cause))
    })
  }

  private askedAs(connection: PooledConnection, token: Redacted.Redacted | undefined): Effect.Effect<A, E, R> {
    return this.body(clientFor(this.context, connection, this.options.as, token), connection, token)
  }

  /** Where the socket is dead, nothing of the operation was sent. */
  private proof({ ping }: PooledConnection): Effect.Effect<void, DbError> {
    const { mode } = this
    const { origin } = this.pool.options
    return Effect.catchAll(Effect.asVoid(ping), () =>
      Effect.fail(new ConnectionFailed({ pool: mode, origin, failure: "closed", code: "NO_ANSWER", sent: false }))
    )
  }

  /** It had no connection, or nobody to ask as. */
  refused(cause: Cause.Cause<AcquireError | QueryError>): Effect.Effect<A, E | DbError, R> {
    return this.ended(Exit.failCause(cause))
  }

  private giveBack(lease: ConnectionLease, exit: Exit.Exit<A, E | DbError>): Effect.Effect<A, E | DbError, R> {
    const { transport } = lease.resource
    const { method, once, path, requests, rounded, writes } = transport.tenure
    this.isOnce ||= once
    this.method = method
    this.path = path
    this.requests = requests
    // What is still under way is aborted by giving back, and may be a write.
    this.writes = writes + (transport.isBusy ? 1 : 0)
    const late = this.pool.takeBack(lease)
    const ended = this.ended(exit)
    if (late === undefined && rounded === undefined) return ended
    return Effect.zipRight(Effect.all([late, rounded && this.context.roundings?.say(rounded)].filter(isThere)), ended)
  }

  /** An attempt has ended: what becomes of the first is decided here; of the others, by who repeats. */
  private ended(exit: Exit.Exit<A, E | DbError>): Effect.Effect<A, E | DbError, R> {
    this.heard(exit)
    if (this.retries > 0) return exit
    if (exit._tag === "Success") return this.observed(exit)
    return Either.match(Cause.failureOrCause(exit.cause), {
      onLeft: (error) => {
        const repetition = new Repetition(this.context, this)
        return repetition.isDue(error)
          ? Effect.flatMap(Effect.exit(this.restore(repetition.after(error))), (last) => this.observed(last))
          : this.observed(exit)
      },
      onRight: () => this.observed(exit)
    })
  }

  /** What the attempt's end says of whether the server is there. */
  private heard(exit: Exit.Exit<A, E | DbError>): void {
    const { absence } = this.context
    if (exit._tag === "Success") {
      absence.answered()
      return
    }
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (isDbError(error)) absence.failed(error)
  }

  /** Nobody who asked now would wait. */
  get isFree(): boolean {
    return this.pool.hasIdle()
  }

  get mode(): Mode {
    return this.options.mode
  }

  get recovery(): Signal {
    return this.pool.connector.recovery
  }

  observed<B, F>(exit: Exit.Exit<B, F>): Exit.Exit<B, F> {
    const { budget, clock, observe } = this.context
    if (exit._tag === "Success") budget.deposit()
    const duration = precise(clock) - this.since
    observe({ mode: this.mode, duration, exit: this.explained(exit), sent: this, retries: this.retries })
    return exit
  }

  private explained<B, F>(exit: Exit.Exit<B, F>): Exit.Exit<B, F | DbError> {
    const { explain } = this.options
    return explain === undefined ? exit : Exit.mapError(exit, (error) => (isDbError(error) ? explain(error) : error))
  }

  next({ proves }: { readonly proves: boolean }): Effect.Effect<A, E | DbError, R> {
    return Effect.suspend(() => {
      this.retries += 1
      this.proves ||= proves
      this.waitsSince ??= precise(this.context.clock)
      return Effect.uninterruptibleMask((restore) => {
        this.restore = restore
        return this.attempt(this.remaining)
      })
    })
  }

  private get waitsNow(): number {
    return this.waitsSince === undefined ? 0 : precise(this.context.clock) - this.waitsSince
  }

  /** Time left for waiting for a connection, at least 1 ms so that an idle one is still taken. */
  get remaining(): number {
    return Math.max(1, this.context.patience - this.waitedBefore - this.waitsNow)
  }
}
