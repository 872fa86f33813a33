/** How an operation tells `Metrics` that it has ended. Other implementations of `OperationMetrics` are not told. */
import type { Exit } from "effect"
import type { Mode } from "../../Errors.js"
import type { OperationMetrics } from "../../Metrics.js"
import type { SentRequests } from "./queries.js"

/** An operation that has ended. */
export interface Observation {
  readonly mode: Mode
  /** In ms. */
  readonly duration: number
  readonly exit: Exit.Exit<unknown, unknown>
  readonly sent: SentRequests
  readonly retries: number
}

export type Observe = (observation: Observation) => void

/** A symbol, so that a modified copy of our service is told too, and users do not see it. */
export const observed: unique symbol = Symbol.for("effect-supabase-pool/internal/observed")

export interface Observing extends OperationMetrics {
  readonly [observed]: Observe
}

const isObserving = (metrics: OperationMetrics): metrics is Observing => observed in metrics

const ignored: Observe = () => {}

export const observerOf = (metrics: OperationMetrics): Observe => (isObserving(metrics) ? metrics[observed] : ignored)
