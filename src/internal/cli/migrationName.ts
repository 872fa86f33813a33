/** Finds our file among a project's migrations, with its version, and names a new one. */
import { DateTime } from "effect"

/** A file of migrations. */
export interface Present {
  readonly name: string
  readonly text: string
}

/** The package's migrations: each version is complete in itself. */
export interface Known {
  readonly current: string
  readonly files: ReadonlyArray<Present>
}

/** Where the current version is: in a file, in one that somebody changed, or nowhere yet. */
export type Place =
  | { readonly _tag: "Same"; readonly name: string }
  | { readonly _tag: "Differs"; readonly name: string }
  | { readonly _tag: "Missing"; readonly earlier: ReadonlyArray<string> }

/** Ignores white space, since `supabase migration fetch` changes blank lines and line ends. */
const bare = (text: string): string => text.replace(/\s+/g, " ").trim()

/** The version that a file states, in its version function. */
const stated = (text: string): string | undefined =>
  /function public\.supabase_pool_version\(\)[\s\S]*?(?:select|return) (\d+)/.exec(text)?.[1]

type Version = "current" | "earlier" | "changed"

/** A file that matches none of the package's was changed; it is of an earlier version if it or its name says so. */
const versionOf = ({ current, files }: Known, { name, text }: Present): Version => {
  const same = files.find((file) => bare(file.text) === bare(text))
  if (same !== undefined) return same.name === current ? "current" : "earlier"
  const ours = files.find((file) => file.name === current)?.text ?? ""
  const version = stated(text)
  if (version !== undefined && version !== stated(ours)) return "earlier"
  return name !== current && files.some((file) => file.name === name) ? "earlier" : "changed"
}

export const placeOf = (known: Known, present: ReadonlyArray<Present>): Place => {
  const all = present.map((file) => ({ name: file.name, version: versionOf(known, file) }))
  const same = all.find(({ version }) => version === "current")
  if (same !== undefined) return { _tag: "Same", name: same.name }
  const changed = all.find(({ version }) => version === "changed")
  if (changed !== undefined) return { _tag: "Differs", name: changed.name }
  return { _tag: "Missing", earlier: all.map(({ name }) => name) }
}

const digits = (millis: number): string =>
  DateTime.formatIso(DateTime.unsafeMake(millis)).replace(/\D/g, "").slice(0, 14)

/** The times by which the Supabase CLI puts migrations in order. */
const timesOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => /^(\d{14})_/.exec(name)?.[1] ?? [])

const second = 1000

const millisOf = (time: string): number => {
  const [year = "", month = "", day = "", hour = "", minute = "", seconds = ""] = time.match(/^\d{4}|\d{2}/g) ?? []
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(seconds))
}

/**
 * Named by the current time, in UTC, as the Supabase CLI names a new one: `supabase db push` refuses a migration that would
 * come before the last applied one. If one is dated later than now, the new one comes a second after it.
 */
export const nameFor = (now: number, names: ReadonlyArray<string>): string => {
  const last = timesOf(names).toSorted().at(-1)
  const time = last === undefined || last < digits(now) ? now : millisOf(last) + second
  return `${digits(time)}_supabase_pool.sql`
}
