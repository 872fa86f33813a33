/**
 * Whether an answer may be cut. PostgREST gives no more rows at a time than its `db-max-rows`, and says nothing of it. Who has
 * seen a longer answer knows that this one is whole, so that few lists are asked for an end that they have.
 */
import { SaidOnce } from "../shared/saidOnce.js"

/** How long (ms) a limit is believed to be what it was: a project can lower it. */
const believed = 60_000

/** A project of Supabase's, unless its owner says otherwise. */
const usual = 1_000

/** Whether offsets are heeded by who says no `Content-Range`; undefined until that was tried. */
export interface Heeding {
  heedsOffset: boolean | undefined
}

export class MostRows implements Heeding {
  /**
   * So many rows in an answer are as many as the server gives: what Supabase's projects have, until more came or an answer was
   * seen to be cut.
   */
  cut = usual
  /** Of all tables. */
  heedsOffset: boolean | undefined
  /** Tables whose streams were said to have no order that tells all rows apart. */
  readonly unordered: SaidOnce = new SaidOnce()
  private most = 0
  private seenAt = Number.NEGATIVE_INFINITY

  /** Whether who says no place is tried at all. */
  readonly tries: boolean

  constructor(tries = true) {
    this.tries = tries
    this.heedsOffset = tries ? undefined : false
  }

  /** An answer that was no longer than was asked, or that cannot be cut for another reason. */
  saw(rows: number, now: number): void {
    if (rows > this.cut) this.cut = Number.POSITIVE_INFINITY
    if (rows < this.most && now - this.seenAt < believed) return
    this.most = rows
    this.seenAt = now
  }

  /** Learns from what it is asked. */
  mayCut(rows: number, now: number): boolean {
    if (rows === 0 || (rows < this.most && now - this.seenAt < believed)) return false
    this.saw(rows, now)
    return true
  }

  /** There was more than an answer of so many rows had. */
  wasCut(rows: number): void {
    this.cut = rows
  }
}
