/** The operations of one database, and what they share. */
import type { SupabaseClient } from "@supabase/supabase-js"
import {
  type Clock,
  Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  Layer,
  Option,
  type Redacted,
  RuntimeFlags
} from "effect"
import { PoolConfig, type PoolOptions } from "../../Config.js"
import { type DbError, type Mode, QueryError } from "../../Errors.js"
import * as Metrics from "../../Metrics.js"
import * as RateLimit from "../../RateLimit.js"
import * as Retry from "../../Retry.js"
import type { PooledConnection } from "../connection/pooledConnection.js"
import { unsendableToken } from "../connection/supabaseClient.js"
import { type Observe, observerOf } from "../metrics/observer.js"
import { DatabaseName } from "../pool/databaseName.js"
import { type DatabasePool, ReadWritePools } from "../pool/readWritePools.js"
import { admitBy, unlimited } from "../rateLimit/admission.js"
import { Absence } from "./absence.js"
import { Cuts } from "./cuts.js"
import { tokenIn } from "./identity.js"
import { type Ask, type Body, Operation, type RunOptions, type Surroundings } from "./operation.js"
import { mistaken, type Retrying, retrying } from "./retryOptions.js"
import { Roundings } from "./roundings.js"
import { sourceOf } from "./tokenSource.js"
import * as Tracing from "./tracing.js"

type Required = ReadWritePools | Metrics.Metrics | PoolConfig | RateLimit.RateLimit

export class Operations extends Context.Tag("effect-supabase-pool/internal/Operations")<Operations, Runner>() {
  static readonly make: Effect.Effect<Runner, never, Required> = Effect.gen(function* () {
    const limit = yield* RateLimit.RateLimit
    const { name } = yield* DatabaseName
    return new Runner(yield* ReadWritePools, yield* PoolConfig, yield* Metrics.Metrics, limit, name)
  })

  static readonly layer: Layer.Layer<Operations, never, Required> = Layer.effect(Operations, Operations.make)
}

/** Nothing is left to do. */
const isDone = <A, E>(rest: Effect.Effect<A, E>): rest is Exit.Exit<A, E> => Exit.isExit(rest)

class Runner implements Surroundings {
  /** Of its database, where it has one. */
  readonly name: string | undefined
  readonly patience: number
  /** How long a function may take that gives a token, in ms. */
  readonly tokenLimit: number
  readonly observe: Observe
  readonly clock: Clock.Clock
  readonly budget: Retry.Budget = Retry.makeBudget()
  readonly absence: Absence = new Absence()
  readonly cuts: Cuts
  /** Undefined where nobody wants to hear of it. */
  readonly roundings: Roundings | undefined
  private readonly delays: Retry.Delays
  private readonly usual: Retrying
  private readonly pools: Context.Tag.Service<ReadWritePools>
  /** Nothing without a limit, so that it costs nothing. */
  private readonly admit: Effect.Effect<void, DbError> | undefined

  constructor(
    pools: Context.Tag.Service<ReadWritePools>,
    options: PoolOptions,
    metrics: Metrics.OperationMetrics,
    limit: RateLimit.RateLimiting,
    name: string | undefined
  ) {
    this.name = name
    this.pools = pools
    this.cuts = new Cuts(pools.overSockets)
    this.roundings = options.noticeRounding ? new Roundings() : undefined
    this.patience = Duration.toMillis(options.connectionTimeout)
    this.tokenLimit = Duration.toMillis(options.requestTimeout)
    this.observe = observerOf(metrics)
    this.admit = limit === unlimited ? undefined : admitBy(limit)
    this.clock = pools.clock
    this.delays = options
    this.usual = { maxRetries: options.maxRetries, schedule: Retry.schedule(options), while: undefined }
  }

  retryingOf({ retry }: RunOptions): Retrying {
    return retry === undefined ? this.usual : retrying(retry, this.usual, this.delays)
  }

  /** The date, in ms since the epoch. */
  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()

  run<A, E, R>(body: Body<A, E, R>, options: RunOptions): Effect.Effect<A, E | DbError, R> {
    const wrong = options.retry === undefined ? undefined : mistaken(options.retry)
    if (wrong !== undefined) return Effect.fail(wrong)
    // As `Effect.uninterruptibleMask`, whose effects would be held by each operation that waits.
    return Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
      const restore = RuntimeFlags.interruption(runtimeFlags) ? Effect.interruptible : Effect.uninterruptible
      const operation = new Operation(this, body, options, fiber, restore)
      return Effect.uninterruptible(
        fiber.currentSpan === undefined
          ? this.admitted(operation)
          : this.traced(operation, fiber.getFiberRef(Tracing.subject))
      )
    })
  }

  /**
   * As `run` for a caller without a fiber: `settle` is told at once where nobody had to wait and nothing is repeated;
   * what takes longer is given to `fork`.
   */
  call<A, E>(
    ask: Ask<A, E>,
    options: Omit<RunOptions, "as"> & {
      /** What is forked has a user. */
      readonly asUser?: boolean
    },
    fork: (effect: Effect.Effect<A, E | DbError>) => void,
    settle: (exit: Exit.Exit<A, E | DbError>) => void
  ): void {
    const body: Body<A, E | DbError, never> = (client, connection) =>
      Effect.async<A, E | DbError>((resume) => {
        connection.onTaken = (error) => resume(Effect.fail(error))
        ask(client, connection, resume)
      })
    const left = (rest: Effect.Effect<A, E | DbError>): void =>
      isDone(rest) ? settle(rest) : fork(Effect.uninterruptible(rest))
    if (options.asUser === true || this.admit !== undefined) {
      fork(this.run(body, options))
      return
    }
    const operation = new Operation(this, body, options, undefined, Effect.interruptible)
    if (!operation.now(ask, left)) fork(this.run(body, options))
  }

  private traced<A, E, R>(
    operation: Operation<A, E, R>,
    subject: Tracing.Subject | undefined
  ): Effect.Effect<A, E | DbError, R> {
    return Tracing.operation(operation.mode, this.pools.read.options.origin, operation, subject, (tracing) => {
      operation.trace(tracing)
      return this.admitted(operation)
    })
  }

  private admitted<A, E, R>(operation: Operation<A, E, R>): Effect.Effect<A, E | DbError, R> {
    return this.admit === undefined
      ? operation
      : Effect.matchCauseEffect(operation.restore(this.admit), {
          onSuccess: () => operation,
          onFailure: (refused) => operation.observed(Exit.failCause(refused))
        })
  }

  poolOf(mode: Mode): DatabasePool {
    return mode === "read" ? this.pools.read : this.pools.write
  }

  clientOf(
    connection: PooledConnection,
    options: RunOptions,
    fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  ): SupabaseClient | Effect.Effect<SupabaseClient, QueryError> {
    if (options.as === "service") return connection.clientAs(this.pools.identities.service)
    const token = fiber === undefined ? Option.none() : tokenIn(fiber, this.name)
    if (Option.isNone(token)) return connection.client
    const source = sourceOf(token.value)
    return source === undefined
      ? this.clientOfUser(connection, token.value)
      : Effect.flatMap(source.now, (given) => {
          const client = this.clientOfUser(connection, given)
          return client instanceof QueryError ? Effect.fail(client) : Effect.succeed(client)
        })
  }

  private clientOfUser(connection: PooledConnection, token: Redacted.Redacted): SupabaseClient | QueryError {
    return unsendableToken(token) ?? connection.clientAs(this.pools.identities.userOf(token))
  }
}
