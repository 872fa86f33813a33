/**
 * Percentiles of any number of durations in bounded memory, each within a known share of the true value.
 *
 * Values are counted in bins whose limits grow by a constant factor, as DDSketch does (Masson, Rim, Lee: "DDSketch", 2019).
 * Two sketches are merged by adding their bins.
 */

/** The maximum relative error of a percentile. */
const accuracy = 0.02

const gamma = (1 + accuracy) / (1 - accuracy)

const logGamma = Math.log(gamma)

/** In ms: 1 µs to about 3 hours, which bounds the number of bins to some six hundred. */
const bounds = { least: 0.001, most: 1e7 } as const

const binOf = (value: number): number =>
  Math.ceil(Math.log(Math.min(bounds.most, Math.max(bounds.least, value))) / logGamma)

/** The value nearest to both limits of a bin, as a fraction. */
const middleOf = (bin: number): number => (2 * gamma ** bin) / (gamma + 1)

export class Sketch {
  private count = 0
  private readonly bins: Map<number, number> = new Map()

  add(value: number): void {
    this.put(binOf(value), 1)
  }

  merge(other: Sketch): void {
    for (const [bin, count] of other.bins) this.put(bin, count)
  }

  /** The value that `share` of the values, 0 to 1, do not exceed; 0 without values. */
  quantile(share: number): number {
    // The nearest rank: of two values the larger is the 95th percentile.
    const rank = Math.max(1, Math.ceil(share * this.count))
    let below = 0
    for (const [bin, count] of [...this.bins].sort(([left], [right]) => left - right)) {
      below += count
      if (below >= rank) return middleOf(bin)
    }
    return 0
  }

  private put(bin: number, count: number): void {
    this.count += count
    this.bins.set(bin, (this.bins.get(bin) ?? 0) + count)
  }
}
