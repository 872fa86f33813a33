/** What is said of numbers that were rounded on their way into JavaScript: once for each column, where somebody develops. */
import { Effect } from "effect"
import { nameInLog, SaidOnce } from "../shared/saidOnce.js"

export class Roundings {
  private readonly said: SaidOnce = new SaidOnce()

  /** `rounded` has names of tables and their columns. */
  say(rounded: ReadonlySet<string>): Effect.Effect<void> | undefined {
    const fresh = [...rounded].filter((name) => this.said.isNew(name))
    if (fresh.length === 0) return undefined
    const names = fresh.map(nameInLog).join(", ")
    return Effect.logWarning(
      `${names}: a number was read that has more digits than JavaScript keeps, so that it was rounded. ` +
        "Read it with a schema of Values (Values.Numeric, Values.Int8), cast it to text in the select, or read with { exact: true }. Said once."
    )
  }
}
