/**
 * Parses typed text into a value, or gives the reason why not.
 *
 * This file does not know the source of the text: a refusal names the problem and the remedy, and its caller adds the
 * variable. `Duration.decode` alone is not enough: it silently turns `NaN` and negative numbers into zero.
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { longestTimer } from "../shared/time.js"
import { parseProxy, proxyForm } from "./proxyAddress.js"

/** Why a value was refused. Neither text ever repeats the value: it may be a key pasted into the wrong variable. */
export interface Refusal {
  readonly problem: string
  readonly remedy: string
}

export type Parsed<A> = Either.Either<A, Refusal>

/** How one kind of value is read: from a variable's text, and from a JSON or JavaScript value. */
export interface Parser<A> {
  readonly fromText: (text: string) => Parsed<A>
  readonly fromUnknown: (value: unknown) => Parsed<A>
}

export const refuse = (problem: string, remedy: string): Either.Either<never, Refusal> =>
  Either.left({ problem, remedy })

export interface CountLimits {
  readonly min: number
  readonly max: number
  readonly example: number
  /** Why there is a lower limit, if that is not obvious. */
  readonly because?: string
}

/** Whole numbers between two limits. */
export const count = (limits: CountLimits): Parser<number> => {
  const remedy = `give a whole number from ${limits.min} to ${limits.max}, such as ${limits.example}`
  const tooSmall = limits.because === undefined ? remedy : `${limits.because}; ${remedy}`
  const check = (value: number): Parsed<number> => {
    if (Number.isNaN(value)) return refuse("not a number", remedy)
    if (value < 0) return refuse("negative", remedy)
    if (value > limits.max) return refuse("too large", remedy)
    if (!Number.isInteger(value)) return refuse("not a whole number", remedy)
    if (value < limits.min) return refuse(value === 0 ? "zero" : "too small", tooSmall)
    return Either.right(value)
  }
  return {
    fromText: (text) => (/^-?\d+$/.test(text) ? check(Number(text)) : refuse("not a whole number", remedy)),
    fromUnknown: (value) => (typeof value === "number" ? check(value) : refuse("not a whole number", remedy))
  }
}

/** A count that may be absent; a JavaScript caller may pass an `Option` (as in `PoolOptions`) or a number. */
export const optionalCount = (limits: CountLimits): Parser<Option.Option<number>> => {
  const present = count(limits)
  return {
    fromText: (text) => Either.map(present.fromText(text), Option.some),
    fromUnknown: (value) => {
      if (!Option.isOption(value)) return Either.map(present.fromUnknown(value), Option.some)
      return Option.isNone(value)
        ? Either.right(Option.none())
        : Either.map(present.fromUnknown(value.value), Option.some)
    }
  }
}

const sizes: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["byte", 1],
  ["bytes", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30]
])

/** A number of bytes, with or without a unit. */
export const bytes = (limits: {
  readonly min: number
  readonly max: number
  readonly example: string
}): Parser<number> => {
  const remedy = `give bytes or a number with a unit (KB, MB, KiB, MiB), from ${limits.min} to ${limits.max} bytes, such as ${limits.example}`
  const check = (value: number): Parsed<number> => {
    if (Number.isNaN(value)) return refuse("not a number", remedy)
    if (value < 0) return refuse("negative", remedy)
    if (value > limits.max) return refuse("too large", remedy)
    if (!Number.isInteger(value)) return refuse("not a whole number", remedy)
    if (value < limits.min) return refuse(value === 0 ? "zero" : "too small", remedy)
    return Either.right(value)
  }
  const fromText = (text: string): Parsed<number> => {
    const [, amount, unit = "b"] = /^(-?\d+(?:\.\d+)?)\s*([a-z]+)?$/i.exec(text) ?? []
    const factor = sizes.get(unit.toLowerCase())
    if (amount === undefined || factor === undefined) return refuse("not a number of bytes", remedy)
    return check(factor === 1 ? Number(amount) : Math.floor(Number(amount) * factor))
  }
  return {
    fromText,
    fromUnknown: (value) => {
      if (typeof value === "number") return check(value)
      return typeof value === "string" ? fromText(value.trim()) : refuse("not a number of bytes", remedy)
    }
  }
}

const flags: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["off", false],
  ["0", false]
])

/** Yes or no. */
export const flag: Parser<boolean> = {
  fromText: (text) =>
    Either.fromNullable(flags.get(text.toLowerCase()), () => ({
      problem: "neither true nor false",
      remedy: "give true or false (yes, no, on, off, 1 and 0 are read too)"
    })),
  fromUnknown: (value) =>
    typeof value === "boolean" ? Either.right(value) : refuse("neither true nor false", "give true or false, unquoted")
}

const transportFrom = (value: unknown): Parsed<"sockets" | "fetch"> =>
  value === "sockets" || value === "fetch" ? Either.right(value) : refuse("no transport", "give sockets or fetch")

/** What carries requests. */
export const transport: Parser<"sockets" | "fetch"> = {
  fromText: (text) => transportFrom(text.toLowerCase()),
  fromUnknown: transportFrom
}

const proxyFrom = (text: string): Parsed<"environment" | "none" | Redacted.Redacted> => {
  if (text === "none" || text === "environment") return Either.right(text)
  return parseProxy(text) === undefined
    ? refuse("not an address of an HTTP proxy", `give ${proxyForm}; or none`)
    : Either.right(Redacted.make(text))
}

/** It may hold a login, so its value is never shown. */
export const proxyAddress: Parser<"environment" | "none" | Redacted.Redacted> = {
  fromText: (text) => proxyFrom(text.trim()),
  fromUnknown: (value) => {
    const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
    return proxyFrom(typeof text === "string" ? text.trim() : "")
  }
}

const units: ReadonlyMap<string, string> = new Map(
  Object.entries({
    nanos: ["ns", "nano", "nanos", "nanosecond", "nanoseconds"],
    micros: ["us", "µs", "micro", "micros", "microsecond", "microseconds"],
    millis: ["ms", "milli", "millis", "millisecond", "milliseconds"],
    seconds: ["s", "sec", "secs", "second", "seconds"],
    minutes: ["m", "min", "mins", "minute", "minutes"],
    hours: ["h", "hour", "hours"],
    days: ["d", "day", "days"],
    weeks: ["w", "week", "weeks"]
  }).flatMap(([unit, names]) => names.map((name): readonly [string, string] => [name, unit]))
)

export interface DurationLimits {
  /** What zero means: a switch, or a mistake. */
  readonly zero: "off" | "refused"
  readonly example: string
}

/** A duration from 1 ms to a timer's maximum; zero if zero is a switch. */
export const duration = (limits: DurationLimits): Parser<Duration.Duration> => {
  const off = limits.zero === "off" ? "; 0 turns it off" : ""
  const remedy = `give milliseconds or a number with a unit, such as ${limits.example}${off}`
  const refused = (problem: string): Parsed<never> => refuse(problem, remedy)

  const check = (value: Duration.Duration): Parsed<Duration.Duration> => {
    if (!Duration.isFinite(value)) return refused("without end")
    if (Duration.isZero(value)) return limits.zero === "off" ? Either.right(Duration.zero) : refused("zero")
    const millis = Duration.toMillis(value)
    if (millis < 1) return refused("shorter than a millisecond")
    if (millis > longestTimer) {
      return refuse("too long", `give at most ${longestTimer} ms (24.8 days), the longest a timer can run${off}`)
    }
    return Either.right(Duration.millis(millis))
  }
  // Seconds and nanoseconds of a pair are numbers too, so the three mistakes that `Duration.decode` hides are checked here.
  const checkNumber = (value: number, make: () => Duration.Duration): Parsed<Duration.Duration> => {
    if (Number.isNaN(value)) return refused("not a number")
    if (value < 0) return refused("negative")
    if (value === Number.POSITIVE_INFINITY) return refused("without end")
    const made = make()
    return value > 0 && Duration.isZero(made) ? refused("shorter than a millisecond") : check(made)
  }
  const fromText = (text: string): Parsed<Duration.Duration> => {
    if (/^-\s*\d/.test(text)) return refused("negative")
    if (/^\d+$/.test(text)) return checkNumber(Number(text), () => Duration.millis(Number(text)))
    // A bare 30.000 is refused: it may mean thirty thousand.
    const match = /^(\d+(?:\.\d+)?)\s*(\p{L}+)$/u.exec(text)
    const unit = units.get(match?.[2]?.toLowerCase() ?? "")
    if (match?.[1] === undefined || unit === undefined) return refused("not a duration")
    const amount = Number(match[1])
    return Option.match(Duration.decodeUnknown(`${match[1]} ${unit}`), {
      onNone: () => refused("not a duration"),
      onSome: (decoded) => checkNumber(amount, () => decoded)
    })
  }
  return {
    fromText,
    fromUnknown: (value) => {
      if (Duration.isDuration(value)) return check(value)
      if (typeof value === "number") return checkNumber(value, () => Duration.millis(value))
      if (typeof value === "bigint") return value < 0n ? refused("negative") : check(Duration.nanos(value))
      if (typeof value === "string") return fromText(value.trim())
      if (!Array.isArray(value)) return refused("not a duration")
      const [seconds, nanos, ...rest]: ReadonlyArray<unknown> = value
      if (typeof seconds !== "number" || typeof nanos !== "number" || rest.length > 0) return refused("not a duration")
      // Not by `Duration.decode`, which throws when the pair is too large for a bigint.
      const millis = seconds * 1000 + nanos / 1_000_000
      return checkNumber(Math.min(seconds, nanos, millis), () => Duration.millis(millis))
    }
  }
}
