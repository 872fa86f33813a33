/**
 * Counts of the recent past in fixed memory: a ring of buckets, one a second; what is older falls out by itself.
 */
export interface WindowSample {
  readonly count: number
  readonly failed: number
  /** Mean duration in ms; 0 without operations. */
  readonly mean: number
}

interface Bucket {
  second: number
  count: number
  failed: number
  millis: number
}

export class SlidingWindow {
  private readonly buckets: Array<Bucket>

  constructor(seconds: number) {
    this.buckets = Array.from({ length: seconds }, () => ({ second: -1, count: 0, failed: 0, millis: 0 }))
  }

  add(now: number, millis: number, failed: boolean): void {
    const second = Math.floor(now / 1_000)
    const bucket = this.buckets[second % this.buckets.length]
    if (bucket === undefined) return
    if (bucket.second !== second) {
      bucket.second = second
      bucket.count = 0
      bucket.failed = 0
      bucket.millis = 0
    }
    bucket.count += 1
    bucket.millis += millis
    if (failed) bucket.failed += 1
  }

  sample(now: number): WindowSample {
    const oldest = Math.floor(now / 1_000) - this.buckets.length
    let count = 0
    let failed = 0
    let millis = 0
    for (const bucket of this.buckets) {
      if (bucket.second <= oldest) continue
      count += bucket.count
      failed += bucket.failed
      millis += bucket.millis
    }
    return { count, failed, mean: count === 0 ? 0 : millis / count }
  }
}
