/**
 * For how long a pool's requests had no answer. An operation is counted where it ends, so that a database which hangs looks as
 * well as it did before until the first timeout; this counts what is still under way. All in ms, on the pool's clock.
 */

/** What ended without an answer is remembered for so long: the next request need not be there yet. */
const memory = 60_000

/** Between two requests that have nothing to do with each other. */
const pause = 10_000

export class Silence {
  private lastAnswer = Number.NEGATIVE_INFINITY
  /** From when on those had no answer that ended since the last one. */
  private since = Number.NaN
  private until = Number.NEGATIVE_INFINITY

  /** A borrower that had the connection from `lentAt` on is done. `answered`: undefined where it asked nothing. */
  ended(answered: boolean | undefined, lentAt: number, now: number): void {
    if (answered === undefined) return
    if (answered) {
      this.lastAnswer = now
      this.since = Number.NaN
      return
    }
    if (!(lentAt - this.until <= pause) || Number.isNaN(this.since)) this.since = Math.max(lentAt, this.lastAnswer)
    this.until = now
  }

  /** 0 where everything that was asked has been answered. `sent`: when the oldest request that is under way was. */
  at(now: number, sent: number | undefined): number {
    const isKnown = !Number.isNaN(this.since) && now - this.until <= memory
    if (sent === undefined) return isKnown ? this.until - this.since : 0
    const asked = Math.max(sent, this.lastAnswer)
    return now - (isKnown && asked - this.until <= pause ? Math.min(this.since, asked) : asked)
  }
}
