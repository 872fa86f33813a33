/** What this needs of a pool. */
interface Filling {
  readonly active: number
  readonly bag: { readonly pending: number }
  readonly connector: { grow(): void }
}

/**
 * When the pool opens the connections that nobody waits for: at once if no operation has asked yet, otherwise behind the
 * first operation.
 *
 * A process may have been started for that one operation. Opening the minimum of both pools beside it costs half as much CPU
 * as the operation itself.
 */
export class WarmUp {
  /** Whether they may be opened. */
  isDue = false
  private readonly pools: Array<Filling> = []

  add(pool: Filling): void {
    this.pools.push(pool)
  }

  begin(): void {
    if (this.isDue) return
    this.isDue = true
    for (const { connector } of this.pools) connector.grow()
  }

  beginUnlessAsked(): void {
    if (this.pools.every(({ active, bag }) => active + bag.pending === 0)) this.begin()
  }
}
