/** What a pool shows of itself to who decides when it is filled. */
interface Filling {
  readonly active: number
  readonly bag: { readonly pending: number }
  readonly opener: { grow(): void }
}

/**
 * When connections are opened that nobody waits for: at once where nobody has asked yet, otherwise behind the first operation.
 *
 * A process may have been started for that one. The least of both pools would open beside it, which takes the CPU half as long
 * again as it does alone, and on one core all of that is in its way.
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
    for (const { opener } of this.pools) opener.grow()
  }

  beginUnlessAsked(): void {
    if (this.pools.every(({ active, bag }) => active + bag.pending === 0)) this.begin()
  }
}
