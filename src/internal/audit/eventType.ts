import { Schema } from "effect"

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
