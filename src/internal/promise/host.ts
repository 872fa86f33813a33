/**
 * What stands behind the Promise API: one `ManagedRuntime`, made when it is first needed and made again after a shutdown.
 */
import { Cause, Context, Effect, Exit, type Fiber, FiberRef, type Layer, ManagedRuntime, Option, Runtime } from "effect"
import { type ConfigInvalid, SupabaseConfig } from "../../Config.js"
import { PoolClosed } from "../../Errors.js"
import * as Health from "../../Health.js"
import * as Metrics from "../../Metrics.js"
import * as Pool from "../../Pool.js"
import type { ReaderWriter } from "../db/access.js"
import { Db } from "../db/database.js"
import { Operations } from "../db/operationContext.js"
import { AsyncContext, caller, inNone, outside } from "../shared/asyncContext.js"
import { KeepAlive } from "./keepAlive.js"
import { loadSpans, perhapsSpanned } from "./lateSpans.js"
import type { Services } from "./layers.js"

/** A runtime that is up, with the services that calls need at hand: looking them up once is cheaper than per call. */
export interface Running {
  readonly fork: <A, E>(effect: Effect.Effect<A, E, Services>) => Fiber.RuntimeFiber<A, E>
  readonly sync: <A, E>(effect: Effect.Effect<A, E, Services>) => A
  readonly db: ReaderWriter
  readonly operations: Operations["Type"]
  readonly read: Pool.ConnectionPool
  readonly write: Pool.ConnectionPool
  readonly metrics: Metrics.OperationMetrics
  readonly health: Health.HealthService
  /** The project's address, without a slash at its end. */
  readonly base: string
  readonly close: Effect.Effect<void>
}

/** The error itself and not a wrapper of it: callers ask `instanceof`. Only a shutdown interrupts. */
const reason = (cause: Cause.Cause<unknown>): unknown =>
  Cause.isInterruptedOnly(cause) ? new PoolClosed({ pool: "read", sent: false }) : Cause.squash(cause)

const start = (layer: Layer.Layer<Services, ConfigInvalid>): Running => {
  const managed = ManagedRuntime.make(layer)
  const built = managed.runSyncExit(Effect.runtime<Services>())
  if (Exit.isFailure(built)) throw reason(built.cause)
  const { context } = built.value
  const calls = built.value.pipe(
    // The start's own; what a runtime has is copied for each call.
    Runtime.deleteFiberRef(FiberRef.currentScheduler),
    Runtime.deleteFiberRef(FiberRef.currentRuntimeFlags),
    // Their failures are the callers' business; a fiber that says "unhandled" of each at debug level would mislead.
    Runtime.setFiberRef(FiberRef.unhandledErrorLogLevel, Option.none())
  )
  return {
    fork: Runtime.runFork(calls),
    sync: Runtime.runSync(calls),
    db: Context.get(context, Db),
    operations: Context.get(context, Operations),
    read: Context.get(context, Pool.ReadPool),
    write: Context.get(context, Pool.WritePool),
    metrics: Context.get(context, Metrics.Metrics),
    health: Context.get(context, Health.Health),
    base: Context.get(context, SupabaseConfig).url,
    close: managed.disposeEffect
  }
}

type Begin<A, E> = (running: Running, settle: (exit: Exit.Exit<A, E>) => void) => void

export class Host {
  private running: Running | undefined = undefined
  private closing: Promise<void> | undefined = undefined
  private closed = false
  private readonly keepAlive = new KeepAlive()
  private readonly layer: Layer.Layer<Services, ConfigInvalid>
  private readonly keyless: Layer.Layer<Services, ConfigInvalid> | undefined
  /** What is up has no keys of its own: why it has none. */
  private lacking: { readonly why: unknown } | undefined = undefined

  /** `keyless`: what serves those who bring their own keys, where `layer` cannot be built. */
  constructor(layer: Layer.Layer<Services, ConfigInvalid>, keyless?: Layer.Layer<Services, ConfigInvalid>) {
    this.layer = layer
    this.keyless = keyless
    loadSpans()
  }

  /** What is up now, without starting anything. */
  get current(): Running | undefined {
    return this.running
  }

  /** Starts what is not up. Throws `ConfigInvalid`, and `PoolClosed` after `close`. */
  get started(): Running {
    const running = this.fetching
    if (this.lacking !== undefined) throw this.lacking.why
    return running
  }

  /** The same for requests that carry their own keys: those of the environment may be missing. */
  get fetching(): Running {
    if (this.closed) throw new PoolClosed({ pool: "write", sent: false })
    // Whoever comes first: what is started belongs to all of them.
    this.running ??= inNone(() => this.start())
    return this.running
  }

  private start(): Running {
    this.lacking = undefined
    try {
      return start(this.layer)
    } catch (why) {
      if (this.keyless === undefined) throw why
      try {
        const running = start(this.keyless)
        this.lacking = { why }
        return running
      } catch {
        throw why
      }
    }
  }

  /** One fiber and one promise. Rejects with the error itself. */
  run<A, E>(operation: (running: Running) => Effect.Effect<A, E, Services>): Promise<A> {
    return this.promise((running, settle) => running.fork(operation(running)).addObserver(settle))
  }

  /** As `run`, for what calls nothing of the caller's, outside of its async context. */
  runOutside<A, E>(operation: (running: Running) => Effect.Effect<A, E, Services>): Promise<A> {
    const context = new AsyncContext()
    return this.promise((running, settle) =>
      outside(() =>
        running.fork(perhapsSpanned(context, Effect.locally(operation(running), caller, context))).addObserver(settle)
      )
    )
  }

  /** A promise of what `begin` settles, as `run` without a fiber where none is needed. */
  promise<A, E>(begin: Begin<A, E>): Promise<A> {
    return this.promiseOn(() => this.started, begin)
  }

  /** As `promise`, for requests that carry their own keys. */
  promiseOfFetch<A, E>(begin: Begin<A, E>): Promise<A> {
    return this.promiseOn(() => this.fetching, begin)
  }

  /** As `promise`, of what `start` gives. */
  promiseOn<A, E>(start: () => Running, begin: Begin<A, E>): Promise<A> {
    return new Promise((resolve, reject) => {
      const running = start()
      outside(() => this.keepAlive.hold())
      try {
        begin(running, (exit) => {
          this.keepAlive.release()
          if (exit._tag === "Success") resolve(exit.value)
          else reject(reason(exit.cause))
        })
      } catch (thrown) {
        this.keepAlive.release()
        reject(thrown)
      }
    })
  }

  /** Drains and closes what is up; calls at the same time share it. The next caller starts new pools. */
  shutdown(): Promise<void> {
    const { running } = this
    if (running === undefined) return this.closing ?? Promise.resolve()
    this.running = undefined
    this.keepAlive.hold()
    const before = this.closing
    const closing = Effect.runPromise(running.close)
      .then(() => before)
      .finally(() => {
        this.keepAlive.release()
        if (this.closing === closing) this.closing = undefined
      })
    this.closing = closing
    return closing
  }

  /** As `shutdown`, for good. */
  close(): Promise<void> {
    this.closed = true
    return this.shutdown()
  }
}
