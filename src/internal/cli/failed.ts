import { Data } from "effect"

/** The command ran and its result is a failure: exit code 1; the message goes to standard error. */
export class Failed extends Data.TaggedError("Failed")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

/** The same, if the reason was already printed. */
export class SaidAlready extends Data.TaggedError("SaidAlready") {}
