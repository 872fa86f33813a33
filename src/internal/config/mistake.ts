/**
 * Mistakes as values: how they are shown, and which part of a value may be shown.
 *
 * All text that a user typed travels in `value` alone, so that one function, `withoutSecrets`, decides what is shown.
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Mistake } from "./model.js"
import type { Refusal } from "./parse.js"

/** A value, or every mistake in its input. */
export type Checked<A> = Either.Either<A, ReadonlyArray<Mistake>>

export const checked = <A>(value: A, mistakes: ReadonlyArray<Mistake>): Checked<A> =>
  mistakes.length === 0 ? Either.right(value) : Either.left(mistakes)

export const mistakesOf = (self: Checked<unknown>): ReadonlyArray<Mistake> =>
  Either.match(self, { onLeft: (mistakes) => mistakes, onRight: () => [] })

/** Both parts, or the mistakes of both (`Either.all` would stop at the first). */
export const both = <A, B>(left: Checked<A>, right: Checked<B>): Checked<readonly [A, B]> =>
  Either.isRight(left) && Either.isRight(right)
    ? Either.right([left.right, right.right])
    : Either.left([...mistakesOf(left), ...mistakesOf(right)])

export interface Place {
  /** The name to look for: a variable, or an option given in code. */
  readonly variable: string
  /** The member inside a variable that holds an object. */
  readonly member?: string
}

export const name = (place: Place): string =>
  place.member === undefined ? place.variable : `${place.member} in ${place.variable}`

export const mistake = (place: Place, refusal: Refusal, value?: string): Mistake => ({
  variable: place.variable,
  ...(value === undefined ? {} : { value }),
  problem: place.member === undefined ? refusal.problem : `${place.member}: ${refusal.problem}`,
  remedy: refusal.remedy
})

/** A value given in code or in JSON, short enough for one line. */
export const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "bigint") return `${value}n`
  if (Duration.isDuration(value)) return Duration.format(value)
  if (Option.isOption(value)) return Option.match(value, { onNone: () => "none", onSome: show })
  if (Array.isArray(value)) return "a list"
  if (value !== null && (typeof value === "object" || typeof value === "function")) return "an object"
  return String(value)
}

// A JWT, Supabase's own key formats, anything before an @, a webhook, PEM, or a run longer than any of our values.
const secretShape = /-----BEGIN|eyJ[\w-]{6,}|sb_(?:secret|publishable)_|sbp_|@|hooks\.slack\.com|[\w+/=-]{32,}/i

const longestShown = 80

const oneLine = (text: string): string => {
  const plain = text.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, "�")
  return plain.length > longestShown ? `${plain.slice(0, longestShown)}…` : plain
}

/** The mistakes without any value that holds a secret, or looks like a secret in the wrong variable. */
export const withoutSecrets = (
  mistakes: ReadonlyArray<Mistake>,
  secrets: ReadonlyArray<string>
): ReadonlyArray<Mistake> =>
  mistakes.map(({ value, variable, ...rest }) => ({
    ...rest,
    variable: oneLine(variable),
    ...(value === undefined || secretShape.test(value) || secrets.some((secret) => value.includes(secret))
      ? {}
      : { value: oneLine(value) })
  }))

/** The problem, with the value if it may be shown. */
export const problemOf = ({ problem, value }: Mistake): string =>
  value === undefined ? problem : `${problem} (${value})`

const line = (mistake: Mistake): string => `${mistake.variable}: ${problemOf(mistake)} — ${mistake.remedy}`

export const message = (mistakes: ReadonlyArray<Mistake>): string =>
  [
    `${mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`} in the configuration; nothing was opened:`,
    ...mistakes.map((each) => `  ${line(each)}`)
  ].join("\n")

const distance = (left: string, right: string): number => {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[right.length] ?? 0
}

/** The known name that was probably meant: at most a third of its letters differ, case and punctuation aside. */
export const nearest = (typed: string, known: ReadonlyArray<string>): Option.Option<string> => {
  const bare = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "")
  // A name far longer than any of ours is not a typo, and comparing it would cost its length squared.
  if (typed.length > 60) return Option.none()
  const ranked = known
    .map((candidate) => ({ candidate, far: distance(bare(typed), bare(candidate)), length: bare(candidate).length }))
    .filter(({ far, length }) => far * 3 <= length)
    .sort((left, right) => left.far - right.far)
  return Option.map(Option.fromNullable(ranked[0]), ({ candidate }) => candidate)
}
