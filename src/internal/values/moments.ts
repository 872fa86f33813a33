/**
 * Times as PostgreSQL writes them. It counts microseconds, `Date` and `DateTime` count milliseconds: what they have no room for
 * is remembered beside them, so that a value which goes back unchanged is the same moment that it was.
 */
import * as Option from "effect/Option"

const pattern =
  /^(\d{4,6})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?\s?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?$/i

export interface Moment {
  /** Since the epoch, as if it were in UTC where no offset stands. */
  readonly millis: number
  /** Three digits, the millionths of a second. */
  readonly micros: string
  readonly hasOffset: boolean
}

const offsetOf = (text: string): number => {
  if (text.toUpperCase() === "Z") return 0
  const [hours = 0, minutes = 0, seconds = 0] = (text.slice(1).match(/\d\d/g) ?? []).map(Number)
  return (text.startsWith("-") ? -1_000 : 1_000) * (hours * 3_600 + minutes * 60 + seconds)
}

/** As `Date.UTC`, which takes the years below 100 for those of 1900. NaN where there is no such day. */
const utc = (year: number, month: number, day: number, rest: readonly [number, number, number, number]): number => {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return isDay ? date.setUTCHours(...rest) : Number.NaN
}

/** Undefined for `infinity`, for a year before Christ and for a day that no calendar has. */
export const momentOf = (text: string): Moment | undefined => {
  const [all, year, month, day, hour, minute, second = "0", fraction = "", offset] = pattern.exec(text) ?? []
  if (all === undefined) return undefined
  const digits = fraction.padEnd(6, "0")
  const rest = [Number(hour), Number(minute), Number(second), Number(digits.slice(0, 3))] as const
  // PostgreSQL writes neither 24:00 nor a leap second.
  if (rest[0] > 23 || rest[1] > 59 || rest[2] > 59) return undefined
  const millis = utc(Number(year), Number(month), Number(day), rest) - offsetOf(offset ?? "Z")
  return Number.isNaN(new Date(millis).getTime())
    ? undefined
    : { millis, micros: digits.slice(3), hasOffset: offset !== undefined }
}

interface Rest {
  readonly millis: number
  readonly micros: string
}

/** Of values that are in somebody's hands; gone with them. */
const rests: WeakMap<object, Rest> = new WeakMap()

/** Of a `Date`, or of a `DateTime`, whose module is not loaded for that. */
const millisIn = (value: unknown): number | undefined => {
  if (value instanceof Date) return value.getTime()
  if (typeof value !== "object" || value === null || !("epochMillis" in value)) return undefined
  return typeof value.epochMillis === "number" ? value.epochMillis : undefined
}

/** A `Date` or `DateTime`, also one in an `Option`. */
const within = (value: unknown): object | undefined => {
  const inner: unknown = Option.isOption(value) ? Option.getOrUndefined(value) : value
  return typeof inner === "object" && inner !== null && millisIn(inner) !== undefined ? inner : undefined
}

/** The value was read from this text. */
export const remember = (value: unknown, { micros, millis }: Moment): void => {
  const time = micros === "000" ? undefined : within(value)
  if (time !== undefined && millisIn(time) === millis) rests.set(time, { millis, micros })
}

/** The same from text, where it is a moment's. */
export const rememberText = (value: unknown, text: unknown): void => {
  // Without microseconds it is no longer than this.
  if (typeof text !== "string" || text.length < 24 || typeof value !== "object" || value === null) return
  const moment = momentOf(text)
  if (moment !== undefined) remember(value, moment)
}

/** The digits behind the milliseconds of a value; empty where it has none. A `Date` that was set to another time has none. */
const microsOf = (value: unknown): string => {
  const time = within(value)
  const rest = time === undefined ? undefined : rests.get(time)
  return rest !== undefined && millisIn(time) === rest.millis ? rest.micros : ""
}

/** What a schema made of a value, with the digits that it had when it came. */
export const withMicros = (value: unknown, encoded: unknown): unknown => {
  if (typeof encoded !== "string") return encoded
  const micros = microsOf(value)
  return micros === "" ? encoded : encoded.replace(/(:\d\d\.\d{3})(?!\d)/, `$1${micros}`)
}
