/** The text of an interval, as PostgreSQL writes it by default: `1 day 02:03:04.5`. */
import { Duration } from "effect"

const pattern = /^(?:(\d+) days?)?\s?(?:(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/

/** Undefined for one that is negative, or has months, which are of no length. */
export const durationOf = (text: string): Duration.Duration | undefined => {
  const [all = "", days = "0", hours = "0", minutes = "0", seconds = "0", fraction = ""] = pattern.exec(text) ?? []
  if (all === "") return undefined
  const whole = ((BigInt(days) * 24n + BigInt(hours)) * 60n + BigInt(minutes)) * 60n + BigInt(seconds)
  return Duration.nanos((whole * 1_000_000n + BigInt(fraction.padEnd(6, "0"))) * 1_000n)
}

/** Undefined for one that does not end. */
export const intervalOf = (duration: Duration.Duration): string | undefined => {
  if (!Duration.isFinite(duration)) return undefined
  const micros = Duration.unsafeToNanos(duration) / 1_000n
  return `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, "0")} seconds`
}
