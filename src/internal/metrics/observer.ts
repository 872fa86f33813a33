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

export const course: unique symbol = Symbol.for("effect-supabase-pool/internal/course")

export interface Observing extends OperationMetrics {
  readonly [observed]: Observe
  readonly [course]: Course
}

/** The operations of a few seconds. Times are in ms. */
export interface Lately {
  /** The end of that time, since the epoch. */
  readonly at: number
  readonly covered: number
  /** Those with the most time first. */
  readonly queries: ReadonlyArray<{
    readonly query: string
    readonly pool: Mode
    readonly count: number
    readonly errors: number
    readonly mean: number
    readonly p95: number
    readonly max: number
  }>
}

/** What the event stream tells beside the public figures. */
export interface Course {
  /** Operations by duration (`spread.ts`), since the start. */
  readonly spread: () => ReadonlyArray<number>
  /** At most so many queries of the last seconds that are over. */
  readonly lately: (most: number) => Lately
}

const isObserving = (metrics: OperationMetrics): metrics is Observing => observed in metrics

const ignored: Observe = () => {}

export const observerOf = (metrics: OperationMetrics): Observe => (isObserving(metrics) ? metrics[observed] : ignored)

/** None where nothing is measured, or by another implementation. */
export const courseOf = (metrics: OperationMetrics): Course | undefined =>
  isObserving(metrics) ? metrics[course] : undefined
