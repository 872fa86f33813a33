/** Names about which the log has said something: each is said once, and no more than a thousand of them. */
import { oneLine } from "./text.js"

/** Names are the program's, but may come from outside. */
const mostNames = 1_000

export class SaidOnce {
  private readonly said: Set<string> = new Set()

  /** True the first time. */
  isNew(name: string): boolean {
    if (this.said.has(name) || this.said.size >= mostNames) return false
    this.said.add(name)
    return true
  }
}

/** A name that may be in a line of the log, which a name from outside must neither break nor fill. */
export const nameInLog = (name: string): string => oneLine(name).slice(0, 100)
