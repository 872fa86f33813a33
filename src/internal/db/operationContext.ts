/** What the operations of one database share: its pools, their clock, the limits, and what was seen of the server. */
import { type Clock, Context, Duration, Effect, Layer, type Scope } from "effect"
import { PoolConfig, type PoolOptions } from "../../Config.js"
import type { DbError, Mode } from "../../Errors.js"
import * as Metrics from "../../Metrics.js"
import * as RateLimit from "../../RateLimit.js"
import * as Retry from "../../Retry.js"
import { type Observe, observerOf } from "../metrics/observer.js"
import { DatabaseName } from "../pool/databaseName.js"
import { type DatabasePool, ReadWritePools } from "../pool/readWritePools.js"
import { admitBy, unlimited } from "../rateLimit/admission.js"
import * as Deadlines from "../shared/deadlines.js"
import { Absence } from "./absence.js"
import { Cuts } from "./cuts.js"
import { type Retrying, type RetryOptions, retrying } from "./retryOptions.js"
import { Roundings } from "./roundings.js"

type Required = ReadWritePools | Metrics.Metrics | PoolConfig | RateLimit.RateLimit

interface Retried {
  readonly retry?: RetryOptions | false | undefined
}

export class OperationContext {
  /** Of its database, where it has one. */
  readonly name: string | undefined
  /** How long an operation may wait for connections, over all attempts, in ms. */
  readonly patience: number
  /** How long a function may take that gives a token, in ms. */
  readonly tokenLimit: number
  /** The same, for callers without a fiber. */
  readonly tokenDeadlines: Deadlines.Deadlines
  readonly observe: Observe
  readonly clock: Clock.Clock
  readonly budget: Retry.Budget = Retry.makeBudget()
  readonly absence: Absence = new Absence()
  readonly cuts: Cuts
  /** Undefined where nobody wants to hear of it. */
  readonly roundings: Roundings | undefined
  private readonly delays: Retry.Delays
  private readonly usual: Retrying
  readonly pools: Context.Tag.Service<ReadWritePools>
  /** Nothing without a limit, so that it costs nothing. */
  readonly admit: Effect.Effect<void, DbError> | undefined

  constructor(
    pools: Context.Tag.Service<ReadWritePools>,
    options: PoolOptions,
    metrics: Metrics.OperationMetrics,
    limit: RateLimit.RateLimiting,
    { name, tokenDeadlines }: { readonly name: string | undefined; readonly tokenDeadlines: Deadlines.Deadlines }
  ) {
    this.tokenDeadlines = tokenDeadlines
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

  retryingOf({ retry }: Retried): Retrying {
    return retry === undefined ? this.usual : retrying(retry, this.usual, this.delays)
  }

  /** The date, in ms since the epoch. */
  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()

  poolOf(mode: Mode): DatabasePool {
    return mode === "read" ? this.pools.read : this.pools.write
  }
}

export class Operations extends Context.Tag("effect-supabase-pool/internal/Operations")<
  Operations,
  OperationContext
>() {
  static readonly make: Effect.Effect<OperationContext, never, Required | Scope.Scope> = Effect.gen(function* () {
    const limit = yield* RateLimit.RateLimit
    const { name } = yield* DatabaseName
    const options = yield* PoolConfig
    const own = { name, tokenDeadlines: yield* Deadlines.make(options.requestTimeout) }
    return new OperationContext(yield* ReadWritePools, options, yield* Metrics.Metrics, limit, own)
  })

  static readonly layer: Layer.Layer<Operations, never, Required> = Layer.scoped(Operations, Operations.make)
}
