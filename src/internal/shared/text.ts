import { Duration } from "effect"
import { printable } from "./printable.js"

/** A duration for people: `58 s`, `1.5 s`, `20 ms`, `5 min`. */
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

/** `7.5 %`; rounded up, so that a value above a threshold never reads as equal to it. */
export const percent = (share: number): string => `${Math.ceil(share * 1_000) / 10} %`

/** A gateway may answer with a page. */
const longest = 300

/** Foreign text on one line, cut to a readable length. */
export const oneLine = (text: string): string => {
  const line = printable(
    text
      .slice(0, 4 * longest)
      .replace(/\s+/g, " ")
      .trim()
  )
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

/** The same without its final full stop, to continue a sentence. */
export const clause = (text: string): string => oneLine(text).replace(/[.!]$/, "")

/** The same as a sentence, with a space before it; empty for an empty text. */
export const sentence = (text: string): string => {
  const words = oneLine(text)
  if (words === "") return ""
  return /[.!?…]$/.test(words) ? ` ${words}` : ` ${words}.`
}

/** Supabase's keys and JSON web tokens, anywhere in a text: a server may repeat them. */
const secrets = /\b(?:eyJ[\w-]{5,}\.[\w-]+\.?[\w-]*|sb_(?:secret|publishable)_[\w-]+)/gi

export const withoutSecrets = (text: string): string => text.replace(secrets, "<redacted>")

/** A shorter text may be an ordinary word. */
const shortestSecret = 8

/** These texts are removed too, in upper or lower case. */
export const withoutThese = (these: ReadonlyArray<string>, text: string): string =>
  these
    .filter((secret) => secret.length >= shortestSecret)
    .reduce(
      (words, secret) => words.replace(new RegExp(secret.replace(/[^\w\s]/g, "\\$&"), "gi"), "<redacted>"),
      withoutSecrets(text)
    )

/** Removes the keys and tokens of a request's headers too. */
export const withoutSecretsIn = (headers: Readonly<Record<string, string>>, text: string): string =>
  withoutThese(
    Object.entries(headers).flatMap(([name, value]) =>
      /^(?:apikey|authorization)$/i.test(name) ? [value.replace(/^\w+ /, "")] : []
    ),
    text
  )
