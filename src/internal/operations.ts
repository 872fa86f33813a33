/**
 * One operation from the caller to the database and back: checkout, request, return, and again where that is safe.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Either,
  Exit,
  type Fiber,
  FiberRef,
  identity,
  Layer,
  Option,
  Schedule
} from "effect"
import { PoolConfig, type PoolOptions } from "../Config.js"
import type { Credentials, PooledConnection } from "../Connection.js"
import { type DbError, isDbError, type Mode, QueryError } from "../Errors.js"
import * as Metrics from "../Metrics.js"
import * as RateLimit from "../RateLimit.js"
import * as Retry from "../Retry.js"
import { Cores, type PoolCore, type PoolLease } from "./cores.js"
import * as PooledClient from "./pooledClient.js"
import * as Spans from "./spans.js"
import { precise } from "./time.js"

/** A user's access token, for everything that runs inside `Db.withAccessToken`. */
export const accessToken: FiberRef.FiberRef<Option.Option<Credentials["token"]>> = FiberRef.unsafeMake(
  Option.none<Credentials["token"]>()
)

export interface OperationOptions {
  readonly mode: Mode
  /** The service-role key on a read connection. */
  readonly as?: "service" | undefined
  readonly idempotent?: boolean | undefined
}

/** What is done with the connection; `client` sends under the credentials that the operation has. */
export type Body<A, E, R> = (client: SupabaseClient, connection: PooledConnection) => Effect.Effect<A, E, R>

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What the attempts of one operation share. */
interface Attempts {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  /** When it began: waiting for connections, over all attempts, ends `connectionTimeout` later. */
  readonly since: number
  /** Puts the operation's span, if it has one, around the caller's code. */
  within: Spans.Tracing["within"]
  /** Of that span, for the requests; empty without one. */
  traceparent: string
  /** Requests of the last attempt that may have changed something. */
  writes: number
  /** Attempts after the first. */
  retries: number
  /** Of the last attempt; empty before there was one. */
  connectionId: string
  /** For connections, over all attempts, in ms. */
  waited: number
  /** The first request of the last attempt; empty when it sent none. */
  method: string
  path: string
  /** How many it sent. */
  requests: number
  /** The first error of a write after which it may have been executed: nothing that comes later can take it back. */
  doubt: DbError | undefined
}

export class Operations extends Context.Tag("effect-supabase-pool/internal/Operations")<Operations, Runner>() {
  static readonly layer: Layer.Layer<Operations, never, Cores | Metrics.Metrics | PoolConfig | RateLimit.RateLimit> =
    Layer.effect(
      Operations,
      Effect.gen(function* () {
        const clock = yield* Clock.clockWith(Effect.succeed)
        const limit = yield* RateLimit.RateLimit
        return new Runner(yield* Cores, yield* PoolConfig, yield* Metrics.Metrics, limit, clock)
      })
    )
}

class Runner {
  private readonly cores: Context.Tag.Service<Cores>
  private readonly patience: number
  private readonly maxRetries: number
  private readonly metrics: Metrics.OperationMetrics
  /** Nothing without a limit, so that it costs nothing. */
  private readonly admit: Effect.Effect<void, DbError> | undefined
  private readonly clock: Clock.Clock
  private readonly budget = Retry.makeBudget()
  private readonly schedule: Schedule.Schedule<Duration.Duration, DbError>
  private readonly users: WeakMap<Credentials["token"], Credentials> = new WeakMap()

  constructor(
    cores: Context.Tag.Service<Cores>,
    options: PoolOptions,
    metrics: Metrics.OperationMetrics,
    limit: RateLimit.RateLimiting,
    clock: Clock.Clock
  ) {
    this.cores = cores
    this.patience = Duration.toMillis(options.connectionTimeout)
    this.maxRetries = options.maxRetries
    this.metrics = metrics
    this.admit = limit === RateLimit.unlimited ? undefined : RateLimit.admitBy(limit)
    this.clock = clock
    this.schedule = Retry.schedule(options)
  }

  /** The date, in ms since the epoch. */
  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()

  run<A, E, R>(body: Body<A, E, R>, options: OperationOptions): Effect.Effect<A, E | DbError, R> {
    return Effect.withFiberRuntime((fiber) => {
      const attempts: Attempts = {
        fiber,
        since: precise(this.clock),
        within: identity,
        traceparent: "",
        writes: 0,
        retries: 0,
        connectionId: "",
        waited: 0,
        method: "",
        path: "",
        requests: 0,
        doubt: undefined
      }
      if (fiber.currentSpan === undefined) return this.attemptAll(body, options, attempts)
      return Spans.operation(options.mode, this.cores.read.options.origin, attempts, (tracing) =>
        this.attemptAll(body, options, Object.assign(attempts, tracing))
      )
    })
  }

  private attemptAll<A, E, R>(
    body: Body<A, E, R>,
    options: OperationOptions,
    attempts: Attempts
  ): Effect.Effect<A, E | DbError, R> {
    const work = Effect.uninterruptibleMask((restore) =>
      Effect.matchCauseEffect(this.attempt(restore, body, options, attempts), {
        onSuccess: (value) => this.observed(Exit.succeed(value), options.mode, attempts),
        onFailure: (cause) =>
          Either.match(Cause.failureOrCause(cause), {
            onLeft: (error) =>
              Effect.flatMap(Effect.exit(restore(this.again(error, body, options, attempts))), (exit) =>
                this.observed(exit, options.mode, attempts)
              ),
            onRight: (defect) => this.observed(Exit.failCause(defect), options.mode, attempts)
          })
      })
    )
    return this.admit === undefined
      ? work
      : Effect.matchCauseEffect(this.admit, {
          onSuccess: () => work,
          onFailure: (refused) => this.observed(Exit.failCause(refused), options.mode, attempts)
        })
  }

  private observed<A, E>(exit: Exit.Exit<A, E>, mode: Mode, attempts: Attempts): Exit.Exit<A, E> {
    if (exit._tag === "Success") this.budget.deposit()
    const duration = precise(this.clock) - attempts.since
    this.metrics.observe({ mode, duration, exit, sent: attempts, retries: attempts.retries })
    return exit
  }

  /** Run it uninterruptibly; the waiting and the caller's code inside are interruptible, by `restore`. */
  private attempt<A, E, R>(
    restore: Restore,
    body: Body<A, E, R>,
    options: OperationOptions,
    attempts: Attempts,
    limit?: number
  ): Effect.Effect<A, E | DbError, R> {
    const core: PoolCore = options.mode === "read" ? this.cores.read : this.cores.write
    const withLease = (lease: PoolLease): Effect.Effect<A, E | DbError, R> => {
      const connection = lease.resource
      attempts.connectionId = connection.id
      attempts.waited += lease.waited
      connection.transport.traceparent = attempts.traceparent
      const work = Effect.suspend((): Effect.Effect<A, E | DbError, R> => {
        const client = this.clientOf(connection, options, attempts.fiber)
        return client instanceof QueryError ? Effect.fail(client) : body(client, connection)
      })
      const after = (exit: Exit.Exit<A, E | DbError>): Effect.Effect<A, E | DbError> => {
        const { sent } = connection.transport
        attempts.method = sent.method
        attempts.path = sent.path
        attempts.requests = sent.requests
        // What is still under way is aborted by giving back, and may be a write.
        attempts.writes = connection.transport.writes + (connection.transport.isBusy ? 1 : 0)
        const late = core.takeBack(lease)
        return late === undefined ? exit : Effect.zipRight(late, exit)
      }
      return Effect.matchCauseEffect(restore(attempts.within(work)), {
        onSuccess: (value) => after(Exit.succeed(value)),
        onFailure: (cause) => after(Exit.failCause(cause))
      })
    }
    const idle = core.takeIdle(attempts.fiber)
    return idle === undefined ? Effect.flatMap(core.checkout(restore, limit), withLease) : withLease(idle)
  }

  private clientOf(
    connection: PooledConnection,
    options: OperationOptions,
    fiber: Fiber.RuntimeFiber<unknown, unknown>
  ): SupabaseClient | QueryError {
    if (options.as === "service") return connection.clientAs(this.cores.service)
    const token = fiber.getFiberRef(accessToken)
    if (Option.isNone(token)) return connection.client
    return PooledClient.unsendable(token.value) ?? connection.clientAs(this.userOf(token.value))
  }

  private userOf(token: Credentials["token"]): Credentials {
    const known = this.users.get(token)
    if (known !== undefined) return known
    const credentials = { key: this.cores.anonKey, token }
    this.users.set(token, credentials)
    return credentials
  }

  private mayRepeat(error: unknown, options: OperationOptions, attempts: Attempts): error is DbError {
    if (!isDbError(error)) return false
    const idempotent = options.idempotent === true
    if (options.mode === "write" && error.mayHaveExecuted) attempts.doubt ??= error
    // An operation of several requests: an earlier one may have been executed although the last was not.
    if (options.mode === "write" && attempts.writes > 0 && !idempotent) return false
    return attempts.retries < this.maxRetries && Retry.isRetryable(error, { mode: options.mode, idempotent })
  }

  private again<A, E, R>(
    first: E | DbError,
    body: Body<A, E, R>,
    options: OperationOptions,
    attempts: Attempts
  ): Effect.Effect<A, E | DbError, R> {
    if (!this.mayRepeat(first, options, attempts)) return Effect.fail(first)
    const retry = Effect.suspend(() => {
      attempts.retries += 1
      return Effect.uninterruptibleMask((restore) =>
        this.attempt(restore, body, options, attempts, this.remaining(attempts))
      )
    })
    // The server closed an idle socket while we were sending. Another one is likely to be well: no reason to wait.
    const second = staleSocket(first) && this.budget.withdraw() ? retry : Effect.fail(first)
    return Effect.catchAll(second, (error) => this.withDelays(error, retry, options, attempts)).pipe(
      Effect.mapError((error) => (attempts.doubt !== undefined && saysNothing(error) ? attempts.doubt : error))
    )
  }

  /** Time left for waiting for a connection, at least 1 ms so that an idle one is still taken. */
  private remaining(attempts: Attempts): number {
    return Math.max(1, attempts.since + this.patience - precise(this.clock))
  }

  private withDelays<A, E, R>(
    first: E | DbError,
    retry: Effect.Effect<A, E | DbError, R>,
    options: OperationOptions,
    attempts: Attempts
  ): Effect.Effect<A, E | DbError, R> {
    const inTime = (error: DbError, delay: Duration.Duration): boolean =>
      error._tag !== "ConnectionFailed" || error.sent || Duration.toMillis(delay) < this.remaining(attempts)
    return Effect.flatMap(Schedule.driver(Schedule.check(this.schedule, inTime)), (driver) => {
      const loop = (error: E | DbError): Effect.Effect<A, E | DbError, R> =>
        this.mayRepeat(error, options, attempts) && this.budget.withdraw()
          ? Effect.matchEffect(driver.next(error), {
              onFailure: () => Effect.fail(error),
              onSuccess: () => Effect.catchAll(retry, loop)
            })
          : Effect.fail(error)
      return loop(first)
    })
  }
}

const staleSocket = (error: unknown): boolean =>
  isDbError(error) && error._tag === "ConnectionFailed" && error.failure === "closed"

/**
 * Whether the last attempt's error leaves open what became of an earlier one. The database's own answer does not: a
 * repetition that it refuses stands for the whole of an idempotent operation.
 */
const saysNothing = (error: unknown): boolean =>
  isDbError(error) && !error.mayHaveExecuted && (error.isTransient || error._tag === "PoolClosed")
