/** What is said of numbers that were rounded on their way into JavaScript: once for each column, where somebody develops. */
import { Effect } from "effect"
import { oneLine } from "../shared/text.js"

/** Names are the program's, but may come from outside. */
const mostNames = 1_000

export class Roundings {
  private readonly said: Set<string> = new Set()

  /** `rounded` has names of tables and their columns. */
  say(rounded: ReadonlySet<string>): Effect.Effect<void> | undefined {
    const fresh = [...rounded].filter((name) => !this.said.has(name)).slice(0, mostNames - this.said.size)
    if (fresh.length === 0) return undefined
    for (const name of fresh) this.said.add(name)
    const names = fresh.map((name) => oneLine(name).slice(0, 100)).join(", ")
    return Effect.logWarning(
      `${names}: a number was read that has more digits than JavaScript keeps, so that it was rounded. ` +
        "Read it with a schema of Values (Values.Numeric, Values.Int8), cast it to text in the select, or read with { exact: true }. Said once."
    )
  }
}
