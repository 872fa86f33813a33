/** Numeric options of the commands. */
import { Option } from "effect"
import type { Value } from "./given.js"

const number = (
  type: "integer" | "number",
  what: string,
  example: number,
  holds: (value: number) => boolean
): Value<number> & { readonly holds: (value: number) => boolean } => ({
  type,
  what,
  example,
  holds,
  read: (text) => Option.filter(Option.some(text.trim() === "" ? Number.NaN : Number(text)), holds)
})

/** More per second than any machine starts, and fewer than would fill its memory. */
const mostPerSecond = 100_000

export const perSecond = number(
  "number",
  `the callers per second are a number above 0, at most ${mostPerSecond}`,
  20,
  (value) => value > 0 && value <= mostPerSecond
)

const longestSeconds = 86_400

export const seconds = number(
  "integer",
  `the duration is a whole number of seconds from 1 to ${longestSeconds}`,
  10,
  (value) => Number.isInteger(value) && value >= 1 && value <= longestSeconds
)

export const port = number(
  "integer",
  "a port is a whole number from 0 to 65535, and 0 takes a free one",
  54321,
  (value) => Number.isInteger(value) && value >= 0 && value <= 65_535
)
