/** Where the database is and with which keys, checked as far as that is possible without asking it. */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Checked, mistake } from "./mistake.js"
import type { Mistake, SupabaseOptions } from "./model.js"
import { type Parsed, type Refusal, refuse } from "./parse.js"

/** The names under which a value is looked for, first come first served; the first two are named when it is missing. */
export const urlNames = ["SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL"] as const
export const anonKeyNames = ["SUPABASE_ANON_KEY", "SUPABASE_PUBLISHABLE_KEY", "NEXT_PUBLIC_SUPABASE_ANON_KEY"] as const
export const serviceRoleKeyNames = ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"] as const

/** A value and the name the user gave it under; without a value, the names that would have been read. */
export interface Named {
  readonly variable: string
  readonly others: ReadonlyArray<string>
  readonly value: Option.Option<string>
}

export interface Access {
  readonly url: Named
  readonly anonKey: Named
  readonly serviceRoleKey: Named
}

const urlRemedy = "give the project's API address, such as https://abcdefgh.supabase.co or http://127.0.0.1:54321"

/** The address without its trailing slash. supabase-js adds the paths itself, so one that is already there is refused. */
const parseUrl = (text: string): Parsed<string> => {
  const url = Option.getOrUndefined(Option.liftThrowable((input: string) => new URL(input))(text))
  if (url === undefined) return refuse("not a URL", urlRemedy)
  if (url.protocol === "postgres:" || url.protocol === "postgresql:") {
    return refuse("a Postgres connection string, not the address of the API", urlRemedy)
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return refuse("neither http nor https", urlRemedy)
  if (url.username !== "" || url.password !== "") {
    return refuse("a URL with a user name or password in it", "take them out; the keys have variables of their own")
  }
  if (url.search !== "" || url.hash !== "") return refuse("a URL with a query or a fragment", urlRemedy)
  if (/^(?:www\.)?supabase\.com$/.test(url.hostname)) return refuse("the address of the dashboard", urlRemedy)
  if (/\/(?:rest|auth|storage|realtime|functions)\/v1\/*$/.test(url.pathname)) {
    return refuse("the address of one service", "end it before /rest/v1 or the like, which the client adds")
  }
  return Either.right(`${url.origin}${url.pathname.replace(/\/+$/, "")}`)
}

/** Which of Supabase's roles a key says it has; a key in neither known format says nothing. */
const roleOf = (key: string): "anon" | "service_role" | undefined => {
  if (key.startsWith("sb_secret_")) return "service_role"
  if (key.startsWith("sb_publishable_")) return "anon"
  const payload = Encoding.decodeBase64UrlString(key.split(".")[1] ?? "")
  const claims: Either.Either<unknown, unknown> = Either.flatMap(payload, (text) =>
    Either.try((): unknown => JSON.parse(text))
  )
  const value = Either.getOrUndefined(claims)
  if (typeof value !== "object" || value === null || !("role" in value)) return undefined
  return value.role === "anon" || value.role === "service_role" ? value.role : undefined
}

const illegalKey = (key: string): Option.Option<Refusal> => {
  const remedy = "copy it again from the project's settings, without quotes, spaces or line breaks"
  if (/[^\x21-\x7e]/.test(key)) {
    return Option.some({ problem: "holds a character that no HTTP header can carry", remedy })
  }
  return /^["'`]|["'`]$/.test(key) ? Option.some({ problem: "wrapped in quotes", remedy }) : Option.none()
}

const wrongRole: { readonly [K in "anonKey" | "serviceRoleKey"]: Refusal } = {
  anonKey: {
    problem: "a service-role key where the anon key belongs",
    remedy: "every read would pass by row level security; give the anon (publishable) key"
  },
  serviceRoleKey: {
    problem: "an anon key where the service-role key belongs",
    remedy: "row level security would refuse the writes; give the service-role (secret) key"
  }
}

const missing = ({ others, variable }: Named, alone: string): Mistake => {
  const refusal =
    others.length === 0
      ? { problem: "missing", remedy: alone }
      : {
          problem: `missing, and ${others.join(" and ")} too`,
          remedy: `set ${[variable, ...others].join(" or ")}, found in the project's settings under API keys`
        }
  return mistake({ variable }, refusal)
}

const keyMistakes = (kind: "anonKey" | "serviceRoleKey", named: Named): ReadonlyArray<Mistake> => {
  if (Option.isNone(named.value)) return [missing(named, "give it as a text or as a Redacted")]
  const key = named.value.value
  const role = roleOf(key)
  const swapped = role !== undefined && role !== (kind === "anonKey" ? "anon" : "service_role")
  const refusals = [...Option.toArray(illegalKey(key)), ...(swapped ? [wrongRole[kind]] : [])]
  return refusals.map((refusal) => mistake({ variable: named.variable }, refusal))
}

const sameKey = ({ anonKey, serviceRoleKey }: Access): ReadonlyArray<Mistake> => {
  const value = Option.getOrUndefined(anonKey.value)
  if (value === undefined || value !== Option.getOrUndefined(serviceRoleKey.value)) return []
  const refusal = {
    problem: `the same key as ${serviceRoleKey.variable}`,
    remedy: "give each its own: with one key for both, reads would have every right, or writes none"
  }
  return [mistake({ variable: anonKey.variable }, refusal)]
}

// A query is where some put an apikey, and credentials stand before an @.
const showUrl = (value: Option.Option<string>): string | undefined =>
  Option.getOrUndefined(Option.filter(value, (text) => !/[?#@]/.test(text)))

/** The access, complete or with every mistake in it. */
const resolve = (access: Access): Checked<SupabaseOptions> => {
  const { url, anonKey, serviceRoleKey } = access
  const address = Option.map(url.value, parseUrl)
  const mistakes: ReadonlyArray<Mistake> = [
    ...Option.match(address, {
      onNone: () => [missing(url, urlRemedy)],
      onSome: Either.match({
        onLeft: (refusal) => [mistake({ variable: url.variable }, refusal, showUrl(url.value))],
        onRight: () => []
      })
    }),
    ...keyMistakes("anonKey", anonKey),
    ...keyMistakes("serviceRoleKey", serviceRoleKey),
    ...sameKey(access)
  ]
  const complete = Option.all({
    url: Option.flatMap(address, Either.getRight),
    anonKey: Option.map(anonKey.value, (key) => Redacted.make(key)),
    serviceRoleKey: Option.map(serviceRoleKey.value, (key) => Redacted.make(key))
  })
  return mistakes.length === 0 ? Either.fromOption(complete, () => mistakes) : Either.left(mistakes)
}

const lookup = (environment: ReadonlyMap<string, string>, names: ReadonlyArray<string>, first: string): Named => {
  const variable = names.find((name) => environment.has(name)) ?? first
  const others = names.filter((name) => name !== variable && !name.startsWith("NEXT_PUBLIC_"))
  return { variable, others, value: Option.fromNullable(environment.get(variable)) }
}

const accessOf = (environment: ReadonlyMap<string, string>): Access => ({
  url: lookup(environment, urlNames, urlNames[0]),
  anonKey: lookup(environment, anonKeyNames, anonKeyNames[0]),
  serviceRoleKey: lookup(environment, serviceRoleKeyNames, serviceRoleKeyNames[0])
})

/** Absent altogether is an answer (the embedded database starts); half of it is a mistake. */
export const optionalFromEnvironment = (
  environment: ReadonlyMap<string, string>
): Checked<Option.Option<SupabaseOptions>> => {
  const access = accessOf(environment)
  return [access.url, access.anonKey, access.serviceRoleKey].every(({ value }) => Option.isNone(value))
    ? Either.right(Option.none())
    : Either.map(resolve(access), Option.some)
}

export const fromEnvironment = (environment: ReadonlyMap<string, string>): Checked<SupabaseOptions> =>
  resolve(accessOf(environment))

const plain = (value: unknown): Option.Option<string> => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof text === "string" && text.trim() !== "" ? Option.some(text) : Option.none()
}

/** What a program gives. A program without types may give anything, so that all that is no text counts as missing. */
export const fromInput = (input: { readonly [K in keyof SupabaseOptions]?: unknown }): Checked<SupabaseOptions> =>
  resolve({
    url: { variable: "url", others: [], value: plain(input.url) },
    anonKey: { variable: "anonKey", others: [], value: plain(input.anonKey) },
    serviceRoleKey: { variable: "serviceRoleKey", others: [], value: plain(input.serviceRoleKey) }
  })

export const secretsOf = (input: { readonly [K in keyof SupabaseOptions]?: unknown }): ReadonlyArray<string> =>
  [input.anonKey, input.serviceRoleKey].flatMap((key) => Option.toArray(plain(key)))
