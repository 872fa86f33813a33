import { Schema } from "effect"

/** The reason of a connection whose borrower ended, by interruption or a signal, before its answer came. */
export const callerLeft = "the caller left"

/** Whether the connection itself broke: whoever hangs up does not break it, though it cannot be used again. */
export const broke = ({ reason, type }: { readonly reason: string; readonly type: string }): boolean =>
  type === "failed" && reason !== callerLeft

/** What can happen to a connection; `Audit.ConnectionEventType` says what each means. */
export const EventType = Schema.Literal(
  "created",
  "acquired",
  "released",
  "idle-closed",
  "retired",
  "leaked",
  "reclaimed",
  "reset",
  "failed",
  "closed"
)
