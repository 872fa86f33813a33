import { Sketch } from "./sketch.js"
import type { Cell } from "./windows.js"

/** Durations of operations, in ms, and the number of failures. */
export class LatencyCell implements Cell<LatencyCell> {
  slot = -1
  count = 0
  errors = 0
  failed = 0
  private millis = 0
  private most = 0
  private sketch: Sketch | undefined = undefined

  /** `failed`: health counts it; `error`: it ended in an error of any kind. */
  add(millis: number, error: boolean, failed: boolean): void {
    this.count += 1
    this.millis += millis
    if (millis > this.most) this.most = millis
    if (error) this.errors += 1
    if (failed) this.failed += 1
    this.sketch ??= new Sketch()
    this.sketch.add(millis)
  }

  merge(other: LatencyCell): void {
    if (other.sketch === undefined) return
    this.count += other.count
    this.errors += other.errors
    this.failed += other.failed
    this.millis += other.millis
    this.most = Math.max(this.most, other.most)
    this.sketch ??= new Sketch()
    this.sketch.merge(other.sketch)
  }

  clear(): void {
    this.count = 0
    this.errors = 0
    this.failed = 0
    this.millis = 0
    this.most = 0
    this.sketch = undefined
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.millis / this.count
  }

  get max(): number {
    return this.most
  }

  /** 0 without operations. */
  percentile(share: number): number {
    if (this.sketch === undefined) return 0
    return Math.min(this.most, this.sketch.quantile(share))
  }
}

/** A slow operation. */
export interface Slow {
  readonly query: string
  readonly millis: number
  readonly at: number
  readonly error: string
}

/** The number of slowest operations that are kept for each period. */
const kept = 20

export class SlowCell implements Cell<SlowCell> {
  slot = -1
  /** Slowest first. */
  slowest: Array<Slow> = []

  add(slow: Slow): void {
    const last = this.slowest.at(-1)
    if (this.slowest.length >= kept && last !== undefined && last.millis >= slow.millis) return
    this.slowest.push(slow)
    this.trim()
  }

  merge(other: SlowCell): void {
    if (other.slowest.length === 0) return
    this.slowest.push(...other.slowest)
    this.trim()
  }

  clear(): void {
    this.slowest = []
  }

  private trim(): void {
    this.slowest.sort((left, right) => right.millis - left.millis)
    if (this.slowest.length > kept) this.slowest.length = kept
  }
}
