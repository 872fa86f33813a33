import { Schema } from "effect"

/** The reason of a connection whose borrower ended, by interruption or a signal, before its answer came. */
export const callerLeft = "the caller left"

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
