import { Duration } from "effect"

/** A duration as people say it: `58 s`, `1.5 s`, `20 ms`, `5 min`. */
export const period = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  if (!Number.isFinite(millis)) return "without limit"
  if (millis < 1_000) return `${Math.round(millis)} ms`
  if (millis < 120_000) return `${trim(millis / 1_000)} s`
  if (millis < 7_200_000) return `${trim(millis / 60_000)} min`
  return `${trim(millis / 3_600_000)} h`
}

const trim = (n: number): string => String(Math.round(n * 10) / 10)

/** `1 operation`, `2 operations`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`
