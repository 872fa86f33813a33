/**
 * Whether an answer may be cut. PostgREST gives no more rows at a time than its `db-max-rows`, and says nothing of it. Who has
 * seen a longer answer knows that this one is whole, so that few lists are asked for an end that they have.
 */

/** How long (ms) a limit is believed to be what it was: a project can lower it. */
const believed = 60_000

class MostRows {
  private most = 0
  private seenAt = Number.NEGATIVE_INFINITY

  /** Learns from what it is asked. */
  mayCut(rows: number, now: number): boolean {
    if (rows === 0) return false
    if (rows < this.most && now - this.seenAt < believed) return false
    this.most = rows
    this.seenAt = now
    return true
  }
}

const known: WeakMap<object, MostRows> = new WeakMap()

/** One for each database. */
export const mostRowsOf = (database: object): MostRows => {
  const before = known.get(database)
  if (before !== undefined) return before
  const most = new MostRows()
  known.set(database, most)
  return most
}
