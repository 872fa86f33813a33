import { Schema } from "effect"

/** The reason for a connection whose borrower ended, by interruption or a signal, before its answer came. */
export const callerLeft = "the caller left"

/** Whether the connection itself broke: a caller that hangs up does not break it, though it cannot be used again. */
export const broke = ({ reason, type }: { readonly reason: string; readonly type: string }): boolean =>
  type === "failed" && reason !== callerLeft

/** The events of a connection; `Audit.ConnectionEventType` explains each. */
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
