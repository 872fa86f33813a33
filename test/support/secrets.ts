/**
 * Keys and tokens that nothing may print, and how a test looks for them.
 *
 * Every made-up key and token of the tests ends in `mark`, so that it is found wherever it turns up, also where nobody
 * thought of looking: `scripts/secrets.ts` reads all that a run prints.
 */
import { inspect } from "node:util"

const mark = "never-printed"

/** A key or token for a test. */
export const secret = (name: string): string => `${name}-${mark}`

/** What is a key or a token by its looks: the marked ones, Supabase's own, JSON web tokens, a made admin token. */
const looks = new RegExp(
  [
    `[\\w.~-]*${mark}`,
    "\\bsb_(?:secret|publishable)_[\\w-]{20,}",
    "\\beyJ[\\w-]{8,}\\.eyJ[\\w-]{8,}",
    "#token=[\\w%-]{4,}",
    "^admin token [\\w-]{32}$"
  ].join("|"),
  "gm"
)

/** The embedded database's, of which one looks like nothing. None where there is no such database. */
export const exactSecrets = (
  embedded: { readonly anonKey: string; readonly serviceRoleKey: string; readonly jwtSecret: string } | undefined
): ReadonlyArray<string> =>
  embedded === undefined ? [] : [embedded.anonKey, embedded.serviceRoleKey, embedded.jwtSecret]

/** The lines of a text that have a key or a token in them, without it. `exact` are some that do not look like one. */
export const linesWithSecrets = (text: string, exact: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  text.split("\n").flatMap((line) => {
    const without = exact.reduce((all, one) => all.replaceAll(one, "<a secret>"), line).replace(looks, "<a secret>")
    return without === line ? [] : [without]
  })

const attempt = (show: () => string | undefined): string => {
  try {
    return show() ?? ""
  } catch (error) {
    return inspect(error)
  }
}

/** In every way in which a program prints a value: hidden fields, getters and the insides of errors included. */
export const shown = (value: unknown): string =>
  [
    () => inspect(value),
    () => inspect(value, { depth: 12, maxArrayLength: null, maxStringLength: null }),
    () => inspect(value, { depth: 12, showHidden: true, getters: true, customInspect: false, maxArrayLength: null }),
    () => String(value),
    () => JSON.stringify(value)
  ]
    .map(attempt)
    .join("\n")
