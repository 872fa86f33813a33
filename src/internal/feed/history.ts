import type { Message } from "./sse.js"

/**
 * The last messages of each kind, in fixed memory, for readers that arrive late or reconnect.
 *
 * An id names the process too: after a restart the numbers start again, and a reader's old position is not in this history.
 */
export class History {
  private readonly process: string
  private readonly limits: ReadonlyMap<string, number>
  private readonly kept: Map<string, Array<{ readonly nth: number; readonly message: Message }>> = new Map()
  private count = 0

  constructor(process: string, limits: Readonly<Record<string, number>>) {
    this.process = process
    this.limits = new Map(Object.entries(limits))
  }

  /** The newest message's number. */
  get newest(): number {
    return this.count
  }

  add(event: string, data: string): { readonly nth: number; readonly message: Message } {
    this.count += 1
    const entry = { nth: this.count, message: { id: `${this.process}-${this.count}`, event, data } }
    const ring = this.kept.get(event) ?? []
    ring.push(entry)
    if (ring.length > (this.limits.get(event) ?? 0)) ring.shift()
    this.kept.set(event, ring)
    return entry
  }

  /** The number in an id of this process; none for other ids and for unknown numbers. */
  numberOf(id: string): number | undefined {
    if (!id.startsWith(`${this.process}-`)) return undefined
    const nth = Number(id.slice(this.process.length + 1))
    return Number.isSafeInteger(nth) && nth >= 0 && nth <= this.count ? nth : undefined
  }

  /** The kept messages after that number, in order. */
  after(nth: number): ReadonlyArray<Message> {
    return [...this.kept.values()]
      .flatMap((ring) => ring.filter((entry) => entry.nth > nth))
      .sort((a, b) => a.nth - b.nth)
      .map(({ message }) => message)
  }
}
