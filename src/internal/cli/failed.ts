import { Data } from "effect"

/** The command did its work and the answer is no: exit code 1; the message goes to standard error. */
export class Failed extends Data.TaggedError("Failed")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

/** The same, where what was printed says why. */
export class SaidAlready extends Data.TaggedError("SaidAlready") {}
