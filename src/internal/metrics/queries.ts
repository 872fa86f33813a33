/**
 * Records operations: one synchronous call each, into bounded memory.
 *
 * The first shapes get their own figures; at the limit, new shapes are counted under one "other", until a shape that has not
 * been seen for a day is dropped.
 */
import type { MetricHook } from "effect"
import type { Mode } from "../../Errors.js"
import { fingerprint, none } from "./fingerprint.js"
import * as Instruments from "./instruments.js"
import { LatencyCell, type Slow, SlowCell } from "./latency.js"
import { keyOf, type Shape, shapeOf } from "./shape.js"
import { Windows } from "./windows.js"

/** The operation and the table or function of what could not be sent. Called when it is counted. */
export type Unsent = () => Pick<Shape, "operation" | "name">

/** The requests of an operation: the first of its last attempt, and how many there were. */
export interface SentRequests {
  /** Empty when nothing was sent. */
  readonly method: string
  readonly path: string
  readonly requests: number
  /** What it would have sent, as far as that is known. */
  readonly unsent?: Unsent | undefined
}

/** How an operation ended, as far as it is recorded. */
export interface Ended {
  /** Name of the error; empty after a success. */
  readonly errorType: string
  /** SQLSTATE, PostgREST's code or the HTTP status; empty if the database did not answer. */
  readonly statusCode: string
  /** It is an error of the database or the pool, and not of the caller. */
  readonly isError: boolean
  /** Health counts it. */
  readonly isFailure: boolean
}

export interface Limits {
  /** An operation that takes this long, in ms, is slow. */
  readonly slowAfter: number
  /** The number of shapes with their own figures. */
  readonly maxShapes: number
}

/** Further combinations of table and operation share one time series: the registry never drops one. */
const maxSeries = 200

/** Error types and codes of one series; further errors are recorded without a code. */
const maxFailures = 30

const longestKnown = 1_000

const dayMillis = 86_400_000

const sweepInterval = 60_000

type Histogram = MetricHook.MetricHook.Histogram

/** `db.client.operation.duration` of one table and operation, by how it ended. */
class Series {
  private readonly attributes: Instruments.Attributes
  private readonly failures: Map<string, Histogram> = new Map()
  private good: Histogram | undefined = undefined

  constructor(attributes: Instruments.Attributes) {
    this.attributes = attributes
  }

  record(millis: number, { errorType, statusCode }: Ended): void {
    if (errorType !== "") this.failure(errorType, statusCode).update(millis / 1_000)
    else {
      this.good ??= this.hook({})
      this.good.update(millis / 1_000)
    }
  }

  /** Error types and codes that have their own time series. */
  get codes(): ReadonlyArray<string> {
    return [...this.failures.keys()]
  }

  private failure(errorType: string, statusCode: string): Histogram {
    const code = this.failures.size < maxFailures ? statusCode : ""
    const key = `${errorType} ${code}`
    const known = this.failures.get(`${errorType} ${statusCode}`) ?? this.failures.get(key)
    if (known !== undefined) return known
    const hook = this.hook({
      "error.type": errorType,
      ...(code === "" ? {} : { "db.response.status_code": code })
    })
    this.failures.set(key, hook)
    return hook
  }

  private hook(ending: Instruments.Attributes): Histogram {
    return Instruments.histogram(
      "db.client.operation.duration",
      "How long operations took, waiting and retries included.",
      {
        "db.system.name": "postgresql",
        ...this.attributes,
        ...ending
      }
    )
  }
}

/** Figures of one shape. */
export class Entry {
  readonly pool: Mode
  readonly shape: Shape
  readonly windows: Windows<LatencyCell> = new Windows(() => new LatencyCell())
  readonly series: Series

  constructor(pool: Mode, shape: Shape, series: Series) {
    this.pool = pool
    this.shape = shape
    this.series = series
  }
}

const other: Shape = { operation: "", name: "", text: "(other)" }

/** Stands where the operation's name would: nobody can say what it would have been. */
const notSent = "(not sent)"

const why = "nothing was sent: left while waiting, or refused"

const shapeOfUnsent = (operation: string, name: string): Shape => ({
  operation,
  name,
  text: operation === notSent ? `(${why})` : `${operation} ${name} (${why})`
})

const named = (shape: Shape, requests: number): Shape =>
  requests > 1 ? { ...shape, text: `${shape.text} and more` } : shape

export class Queries {
  readonly overall: Windows<LatencyCell> = new Windows(() => new LatencyCell())
  readonly slow: Windows<SlowCell> = new Windows(() => new SlowCell())
  private readonly entries: Map<string, Entry> = new Map()
  /** A faster lookup of entries; discarded when it has become large. */
  private readonly known: Readonly<Record<Mode, Map<number, Entry>>> = { read: new Map(), write: new Map() }
  private readonly others: Readonly<Record<Mode, Entry>>
  private readonly series: Map<string, Series> = new Map()
  private readonly origin: string
  private readonly limits: Limits
  private nextSweep = 0

  constructor(origin: string, limits: Limits) {
    this.origin = origin
    this.limits = limits
    this.others = { read: this.entryOfOthers("read"), write: this.entryOfOthers("write") }
  }

  record(now: number, millis: number, pool: Mode, sent: SentRequests, ended: Ended): void {
    const entry = this.entryOf(pool, sent, now)
    entry.series.record(millis, ended)
    entry.windows.at(now).add(millis, ended.isError, ended.isFailure)
    this.overall.at(now).add(millis, ended.isError, ended.isFailure)
    if (millis < this.limits.slowAfter) return
    this.slow.at(now).add({ query: entry.shape.text, millis, at: now, error: ended.errorType })
  }

  /** The shapes with their own figures, and the others. */
  get all(): ReadonlyArray<Entry> {
    return [...this.entries.values(), this.others.read, this.others.write]
  }

  slowest(window: "minute" | "hour" | "day", now: number): ReadonlyArray<Slow> {
    return this.slow.sum(window, now).slowest
  }

  private entryOf(pool: Mode, sent: SentRequests, now: number): Entry {
    if (sent.requests === 0) return this.findUnsent(pool, sent, now)
    if (sent.requests !== 1) return this.find(pool, sent, now)
    const known = this.known[pool]
    const print = fingerprint(sent.method, sent.path)
    const entry = known.get(print)
    if (entry !== undefined) return entry
    const found = this.find(pool, sent, now)
    if (print === none || found === this.others[pool]) return found
    if (known.size >= longestKnown) known.clear()
    known.set(print, found)
    return found
  }

  private find(pool: Mode, { method, path, requests }: SentRequests, now: number): Entry {
    const shape = keyOf(method, path)
    // An operation with several requests is named after the first.
    const key = `${pool === "read" ? "r" : "w"}${requests > 1 ? "+" : " "}${shape}`
    return this.entries.get(key) ?? this.admit(key, pool, now, () => named(shapeOf(shape), requests))
  }

  private findUnsent(pool: Mode, { unsent }: SentRequests, now: number): Entry {
    const { name, operation } = unsent?.() ?? { operation: notSent, name: "" }
    const key = `${pool === "read" ? "r" : "w"}-${operation} ${name}`
    return this.entries.get(key) ?? this.admit(key, pool, now, () => shapeOfUnsent(operation, name))
  }

  private admit(key: string, pool: Mode, now: number, shapeIn: () => Shape): Entry {
    if (this.entries.size >= this.limits.maxShapes) this.sweep(now)
    if (this.entries.size >= this.limits.maxShapes) return this.others[pool]
    const shape = shapeIn()
    const entry = new Entry(pool, shape, this.seriesOf(pool, shape))
    this.entries.set(key, entry)
    return entry
  }

  private sweep(now: number): void {
    if (now < this.nextSweep) return
    this.nextSweep = now + sweepInterval
    this.known.read.clear()
    this.known.write.clear()
    for (const [key, { windows }] of this.entries) {
      if (now - windows.lastUsed > dayMillis) this.entries.delete(key)
    }
  }

  private seriesOf(pool: Mode, { name, operation }: Shape): Series {
    const key = `${pool} ${operation} ${name}`
    const known = this.series.get(key)
    if (known !== undefined) return known
    if (this.series.size >= maxSeries) return this.others[pool].series
    const isCall = operation === "CALL"
    const series = new Series({
      ...Instruments.poolAttributes(pool, this.origin),
      ...(operation === "" ? {} : { "db.operation.name": operation }),
      ...(name === "" ? {} : isCall ? { "db.stored_procedure.name": name } : { "db.collection.name": name })
    })
    this.series.set(key, series)
    return series
  }

  private entryOfOthers(pool: Mode): Entry {
    const attributes = { ...Instruments.poolAttributes(pool, this.origin), "otel.metric.overflow": "true" }
    return new Entry(pool, other, new Series(attributes))
  }
}
