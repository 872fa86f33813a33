import type { Outcome, RecentAnswers } from "../../Metrics.js"

interface Bucket {
  second: number
  count: number
  failed: number
  answered: number
  unanswered: number
  millis: number
}

const empty = { count: 0, failed: 0, answered: 0, unanswered: 0, millis: 0 } as const

/**
 * Counts of the recent past in fixed memory: a ring of buckets, one a second; older buckets are overwritten.
 */
export class SlidingWindow {
  private readonly buckets: Array<Bucket>

  constructor(seconds: number) {
    this.buckets = Array.from({ length: seconds }, () => ({ second: -1, ...empty }))
  }

  add(now: number, millis: number, outcome: Outcome): void {
    const second = Math.floor(now / 1_000)
    const bucket = this.buckets[second % this.buckets.length]
    if (bucket === undefined) return
    if (bucket.second !== second) Object.assign(bucket, empty, { second })
    bucket.count += 1
    bucket.millis += millis
    if (outcome === "answered") bucket.answered += 1
    else if (outcome !== "neutral") bucket.failed += 1
    if (outcome === "unanswered") bucket.unanswered += 1
  }

  sample(now: number): RecentAnswers {
    const current = Math.floor(now / 1_000)
    const oldest = current - this.buckets.length
    const sum = { count: 0, failed: 0, answered: 0, unanswered: 0, millis: 0 }
    for (const bucket of this.buckets) {
      // Buckets from the future remain after a clock was set back.
      if (bucket.second <= oldest || bucket.second > current) continue
      sum.count += bucket.count
      sum.failed += bucket.failed
      sum.answered += bucket.answered
      sum.unanswered += bucket.unanswered
      sum.millis += bucket.millis
    }
    const { millis, ...counts } = sum
    return { ...counts, mean: counts.count === 0 ? 0 : millis / counts.count }
  }
}
