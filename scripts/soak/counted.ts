/** What is counted, by the callers and by the database. */

/** The callers'. */
export const tallies = {
  succeeded: 0,
  interrupted: 0,
  rateLimited: 0,
  overloaded: 0,
  doubtful: 0,
  failed: 0,
  missing: 0,
  liars: 0,
  slow: 0,
  leaks: 0,
  resets: 0,
  outages: 0,
  faults: 0
}

/** The database's. It forgets whom nobody will ask about again: hours of writes must not look like a leak. */
export class Ledger {
  requests = 0
  twice = 0
  private readonly counts: Map<string, number> = new Map()

  execute(id: string, idempotent: boolean): void {
    const count = (this.counts.get(id) ?? 0) + 1
    this.counts.set(id, count)
    if (count > 1 && !idempotent) this.twice += 1
  }

  /** How often it was executed; and forgotten, since nobody will ask again. */
  settle(id: string): number {
    const count = this.counts.get(id) ?? 0
    this.counts.delete(id)
    return count
  }
}
