/**
 * Schemas of columns whose values JSON or JavaScript would change: digits of `numeric` and `bigint`, a `timestamp` that is nobody's
 * instant, microseconds, bytes, intervals, ranges and vectors.
 *
 * In a `Db.table` they are all that has to be said: a column that JSON would lose a part of is cast to text when it is read, and
 * filters, writes and steps of transactions send what the schema encodes. Elsewhere (`Db.readAs`, `Db.rpcAs`) numbers come
 * from JSON: one that JavaScript may have rounded is refused, and `{ exact: true }` brings it whole.
 *
 * A row's `Date` or `DateTime` keeps the microseconds that it came with, unseen, as long as it is the same object: compared
 * in a `where`, expected in a step or written back it is the moment that is stored.
 *
 * @since 0.1.0
 */
import { BigDecimal, type Brand, DateTime, type Duration, Effect, ParseResult, Schema, type SchemaAST } from "effect"
import { castAnnotationId } from "./internal/values/cast.js"
import { durationOf, intervalOf } from "./internal/values/intervals.js"
import { type Moment, momentOf, remember, withMicros } from "./internal/values/moments.js"
import { endsOf, textOfEnds } from "./internal/values/ranges.js"

const refuse = (ast: SchemaAST.AST, actual: unknown, message: string): Effect.Effect<never, ParseResult.ParseIssue> =>
  ParseResult.fail(new ParseResult.Type(ast, actual, message))

// -------------------------------------------------------------------------------------
// numbers
// -------------------------------------------------------------------------------------

const Written: Schema.Union<[typeof Schema.String, typeof Schema.Number]> = Schema.Union(Schema.String, Schema.Number)

const whole =
  "Cast the column to text (column::text in a select, or cast of Db.table), or read with { exact: true }: then it comes whole"

/** The text of a number as it came. A number of JSON has been through JavaScript: with more digits than that keeps, it may be another. */
const digitsOf = (came: string | number, ast: SchemaAST.AST): Effect.Effect<string, ParseResult.ParseIssue> => {
  if (typeof came === "string") return Effect.succeed(came)
  const text = String(came)
  const digits = text.replace(/e.*$/i, "").replace(/\D/g, "").replace(/^0+/, "")
  return Number.isFinite(came) && (Number.isSafeInteger(came) || digits.length <= 15)
    ? Effect.succeed(text)
    : refuse(ast, came, `a number of more digits than JavaScript keeps may have been rounded on the way. ${whole}`)
}

const asText = { [castAnnotationId]: "text" }

/** Plain, with the zeros of its scale: `1.50`. No column has more zeros than this before the point. */
const textOfDecimal = ({ scale, value }: BigDecimal.BigDecimal): string => {
  if (scale < -1_000) return `${value}e${-scale}`
  if (scale <= 0) return value === 0n ? "0" : `${value}${"0".repeat(-scale)}`
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0")
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/**
 * `numeric` with all its digits and its scale. `NaN` and infinity are refused: `Digits` takes them.
 *
 * @example
 * import { Db, Values } from "effect-supabase-pool"
 * import { BigDecimal, Schema } from "effect"
 *
 * const accounts = Db.table("accounts", Schema.Struct({ id: Values.Int8, balance: Values.Numeric }))
 *
 * export const rich = accounts.list({ where: { balance: Db.gte(BigDecimal.unsafeFromString("1000000.00")) }, orderBy: "balance" })
 *
 * @since 0.1.0
 * @category numbers
 */
export const Numeric: Schema.Schema<BigDecimal.BigDecimal, string | number> = Schema.transformOrFail(
  Written,
  Schema.BigDecimalFromSelf,
  {
    strict: true,
    decode: (came, _, ast) =>
      Effect.flatMap(digitsOf(came, ast), (text) => {
        const decimal = BigDecimal.fromString(text)
        return decimal._tag === "Some" && text !== ""
          ? Effect.succeed(decimal.value)
          : refuse(ast, came, "expected a numeric; NaN and infinity are no BigDecimal, and Values.Digits takes them")
      }),
    encode: (decimal) => Effect.succeed(textOfDecimal(decimal))
  }
).annotations({ identifier: "Numeric", ...asText })

/**
 * `bigint` (int8) as a `bigint`. Fits any column of whole numbers.
 *
 * @since 0.1.0
 * @category numbers
 */
export const Int8: Schema.Schema<bigint, string | number> = Schema.transformOrFail(Written, Schema.BigIntFromSelf, {
  strict: true,
  decode: (came, _, ast) =>
    Effect.flatMap(digitsOf(came, ast), (text) =>
      /^-?\d+$/.test(text) ? Effect.succeed(BigInt(text)) : refuse(ast, came, "expected a whole number")
    ),
  encode: (int) => Effect.succeed(String(int))
}).annotations({ identifier: "Int8", ...asText })

const anyDigits = /^(?:[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/

/**
 * A number of any kind as the text that PostgreSQL writes, for who passes it on and does not count with it.
 *
 * @since 0.1.0
 * @category numbers
 */
export const Digits: Schema.Schema<string, string | number> = Schema.transformOrFail(
  Written,
  Schema.String.pipe(Schema.pattern(anyDigits, { message: () => "expected the digits of a number" })),
  { strict: true, decode: (came, _, ast) => digitsOf(came, ast), encode: Effect.succeed }
).annotations({ identifier: "Digits", ...asText })

// -------------------------------------------------------------------------------------
// times
// -------------------------------------------------------------------------------------

const noOffset =
  "names no offset, so that it is no instant: take Values.Timestamp where the column is a timestamp in UTC, Values.LocalDateTime where it is somebody's local time, or make it timestamptz"

const anOffset = "names an offset: the column is a timestamptz, and Values.Timestamptz reads it"

const noMoment = "is no time that a DateTime has (infinity, before Christ): Values.Instant keeps the text"

const utcOf = (moment: Moment): DateTime.Utc => {
  const time = DateTime.unsafeMake(moment.millis)
  remember(time, moment)
  return time
}

/** Without an offset. */
const textOf = (time: DateTime.Utc): string => String(withMicros(time, DateTime.formatIso(time).replace(/Z$/, "")))

const utcTime = (
  hasOffset: boolean,
  wrong: string,
  encode: (time: DateTime.Utc) => string
): Schema.Schema<DateTime.Utc, string> =>
  Schema.transformOrFail(Schema.String, Schema.DateTimeUtcFromSelf, {
    strict: true,
    decode: (text, _, ast) => {
      const moment = momentOf(text)
      if (moment === undefined) return refuse(ast, text, `"${text}" ${noMoment}`)
      return moment.hasOffset === hasOffset ? Effect.succeed(utcOf(moment)) : refuse(ast, text, `"${text}" ${wrong}`)
    },
    encode: (time) => Effect.succeed(encode(time))
  })

/**
 * `timestamptz`: an instant, with its microseconds as long as it is the same object. Text without an offset is refused.
 *
 * @since 0.1.0
 * @category times
 */
export const Timestamptz: Schema.Schema<DateTime.Utc, string> = utcTime(
  true,
  noOffset,
  (time) => `${textOf(time)}Z`
).annotations({ identifier: "Timestamptz" })

/**
 * `timestamp` (without time zone) by the convention that it is in UTC: read so and written so, whatever the time zone of the
 * process and of the database's session. Text with an offset is refused: that is a `timestamptz`.
 *
 * @example
 * import { Db, Values } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * const jobs = Db.table("jobs", Schema.Struct({ id: Schema.Int, due: Values.Timestamp }))
 *
 * // The row whose time was read a moment ago, down to the microsecond.
 * export const after = (last: typeof Values.Timestamp.Type) => jobs.list({ where: { due: Db.gt(last) }, orderBy: "due" })
 *
 * @since 0.1.0
 * @category times
 */
export const Timestamp: Schema.Schema<DateTime.Utc, string> = utcTime(false, anOffset, textOf).annotations({
  identifier: "Timestamp"
})

const isDate = (text: string): boolean => momentOf(`${text} 00:00`) !== undefined

const isForever = (text: string): boolean => /^-?infinity$/.test(text)

/** Of a year before Christ the rest is as of any other. */
const textual = (text: string): Moment | undefined => momentOf(text.replace(/ BC$/, ""))

const branded = <B extends string>(
  name: B,
  message: string,
  is: (text: string) => boolean
): Schema.Schema<string & Brand.Brand<B>, string> =>
  Schema.String.pipe(
    Schema.filter((text) => is(text) || isForever(text) || `"${text}" ${message}`),
    Schema.brand(name)
  ).annotations({ identifier: name })

/**
 * `timestamptz` as its text, which has all of it and can go through JSON and come back: the cursor of a list that is paged by
 * time, a version that a form returns. Text without an offset is refused.
 *
 * @since 0.1.0
 * @category times
 */
export const Instant: Schema.Schema<string & Brand.Brand<"Instant">, string> = branded(
  "Instant",
  `is no instant; text without an offset ${noOffset}`,
  (text) => textual(text)?.hasOffset === true
)

/**
 * `timestamp` (without time zone) as what it is: a date and a time of day somewhere, as text. It is no instant, and nothing
 * here makes one of it.
 *
 * @since 0.1.0
 * @category times
 */
export const LocalDateTime: Schema.Schema<string & Brand.Brand<"LocalDateTime">, string> = branded(
  "LocalDateTime",
  `is no date and time without an offset; one with an offset ${anOffset}`,
  (text) => textual(text)?.hasOffset === false
)

/**
 * `date` as its text, `2026-01-31`: a day, which begins at another instant in each place.
 *
 * @since 0.1.0
 * @category times
 */
export const LocalDate: Schema.Schema<string & Brand.Brand<"LocalDate">, string> = branded(
  "LocalDate",
  "is no date",
  (text) => isDate(text.replace(/ BC$/, ""))
)

/**
 * `interval` as a `Duration`, to the microsecond; a day has 24 hours. One that has months, or is negative, is no length of
 * time: it is refused, and `Schema.String` takes it. Needs `intervalstyle = postgres`, which is PostgreSQL's default.
 *
 * @since 0.1.0
 * @category times
 */
export const Interval: Schema.Schema<Duration.Duration, string> = Schema.transformOrFail(
  Schema.String,
  Schema.DurationFromSelf,
  {
    strict: true,
    decode: (text, _, ast) => {
      const duration = durationOf(text)
      return duration === undefined
        ? refuse(ast, text, `"${text}" is no length of time (months, years and negative intervals have none)`)
        : Effect.succeed(duration)
    },
    encode: (duration, _, ast) => {
      const text = intervalOf(duration)
      return text === undefined ? refuse(ast, duration, "an interval has an end") : Effect.succeed(text)
    }
  }
).annotations({ identifier: "Interval" })

// -------------------------------------------------------------------------------------
// others
// -------------------------------------------------------------------------------------

const hexadecimal = /^\\x(?:[\da-f]{2})*$/i

/**
 * `bytea` as bytes.
 *
 * @since 0.1.0
 * @category others
 */
export const Bytea: Schema.Schema<Uint8Array, string> = Schema.transformOrFail(
  Schema.String,
  Schema.Uint8ArrayFromSelf,
  {
    strict: true,
    decode: (text, _, ast) =>
      hexadecimal.test(text)
        ? Effect.succeed(Uint8Array.from(text.slice(2).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)))
        : refuse(
            ast,
            text,
            "expected bytes in the form \\x…, as PostgreSQL writes them by default (bytea_output = hex)"
          ),
    encode: (bytes) => Effect.succeed(`\\x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`)
  }
).annotations({ identifier: "Bytea" })

/**
 * `vector` of pgvector as its numbers.
 *
 * @since 0.1.0
 * @category others
 */
export const Vector: Schema.Schema<ReadonlyArray<number>, string> = Schema.transform(
  Schema.parseJson(Schema.Array(Schema.Finite)),
  Schema.Array(Schema.Finite),
  { strict: true, decode: (numbers) => numbers, encode: (numbers) => numbers }
).annotations({ identifier: "Vector" })

/**
 * From one end to the other; null is no end. `bounds` says which of the two are in it: `[` and `]` are, `(` and `)` are not.
 * PostgreSQL writes ranges of whole numbers and of dates as `[)`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds<A> {
  readonly lower: A | null
  readonly upper: A | null
  readonly bounds: "[)" | "[]" | "(]" | "()"
}

const boundsOf = (text: string): Bounds<unknown>["bounds"] =>
  text === "[]" || text === "(]" || text === "()" ? text : "[)"

/**
 * A range (`int4range`, `numrange`, `tstzrange`, …) of what `element` reads from text, or `"empty"`.
 *
 * @example
 * import { Db, Values } from "effect-supabase-pool"
 * import { Schema } from "effect"
 *
 * export const bookings = Db.table(
 *   "bookings",
 *   Schema.Struct({ id: Schema.UUID, during: Values.Range(Values.Timestamptz), seats: Values.Range(Schema.NumberFromString) })
 * )
 *
 * @since 0.1.0
 * @category others
 */
export const Range = <A, I extends string | number>(
  element: Schema.Schema<A, I>
): Schema.Schema<Bounds<A> | "empty", string> => {
  const own = Schema.typeSchema(element)
  const decode = ParseResult.decodeUnknown(element)
  const encode = ParseResult.encode(element)
  const end = <B, C>(
    value: B | null,
    f: (value: B) => Effect.Effect<C, ParseResult.ParseIssue>
  ): Effect.Effect<C | null, ParseResult.ParseIssue> => (value === null ? Effect.succeed(null) : f(value))
  const ranges = Schema.Union(
    Schema.Literal("empty"),
    Schema.Struct({
      lower: Schema.NullOr(own),
      upper: Schema.NullOr(own),
      bounds: Schema.Literal("[)", "[]", "(]", "()")
    })
  )
  return Schema.transformOrFail(Schema.String, ranges, {
    strict: true,
    decode: (text, _, ast) => {
      const ends = endsOf(text)
      if (ends === undefined) return refuse(ast, text, "expected a range, such as [1,10)")
      if (ends === "empty") return Effect.succeed(ends)
      return Effect.map(Effect.all([end(ends.lower, decode), end(ends.upper, decode)]), ([lower, upper]) => ({
        lower,
        upper,
        bounds: boundsOf(ends.bounds)
      }))
    },
    encode: (range) =>
      range === "empty"
        ? Effect.succeed(range)
        : Effect.map(Effect.all([end(range.lower, encode), end(range.upper, encode)]), ([lower, upper]) =>
            textOfEnds({
              lower: lower === null ? null : String(lower),
              upper: upper === null ? null : String(upper),
              bounds: range.bounds
            })
          )
  }).annotations({ identifier: "Range" })
}
