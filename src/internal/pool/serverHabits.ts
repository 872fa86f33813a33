/**
 * What a pool has learnt of its server by being closed: one memory for all of its connections, since one that was never
 * used has heard nothing yet.
 */

/** So many connections in a row that ended with their first answer are a habit, and no accident. */
const manyOnce = 10

/** So many that were closed after their first answer without a word are enough to lend none a second time. */
const few = 3

/** Closings (ms) at least so far apart are two, and not the end of one server. */
const apart = 200

/** A server that keeps idle connections shorter than this (ms) has them only while they are used. */
const short = 5_000

interface Closing {
  readonly silent: number
  readonly at: number
}

export class Habits {
  /** For how long the server says that it keeps an idle connection, in ms. */
  private told = Number.POSITIVE_INFINITY
  /** After how long it was seen to close idle ones without having said so, in ms. */
  private seen = Number.POSITIVE_INFINITY
  private lastClosing: Closing | undefined = undefined
  /** One that was answered is left to the server, to see whether it still closes each. */
  watched: unknown = undefined
  private once = 0
  private afterFirst = 0

  /** For how long an idle connection is kept, in ms; infinity where nothing is known. */
  get kept(): number {
    return Math.min(this.told, this.seen)
  }

  get isShort(): boolean {
    return this.kept < short
  }

  /** Connections last for one answer. */
  get closesEach(): boolean {
    return this.afterFirst >= few
  }

  /** A connection came back as good as new, for the so-manieth time. */
  answered(times: number, hint: number | undefined): void {
    if (times > 1) {
      this.once = 0
      this.afterFirst = 0
    }
    if (hint !== undefined && hint > 0) this.told = hint
  }

  /**
   * The server closed an idle one that had been silent for so long (ms). Twice after the same time is a limit: when a
   * server ends, its connections have been silent for any time.
   */
  closedIdle(silent: number, now: number): void {
    const before = this.lastClosing
    this.lastClosing = { silent, at: now }
    if (before === undefined || now - before.at < apart) return
    if (Math.abs(silent - before.silent) <= Math.max(100, 0.05 * silent)) this.seen = Math.min(silent, before.silent)
  }

  /**
   * The server closed one with its first answer, or after it without a word. True when it is time to say so; the first way
   * harms nobody, the second whoever sends at that moment.
   */
  closedOnce(how: "with" | "after"): boolean {
    this.once += 1
    if (how === "after") this.afterFirst += 1
    return this.once === manyOnce
  }
}
