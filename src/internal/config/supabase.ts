/** The database's address and keys, checked as far as possible without a request. */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Checked, mistake } from "./mistake.js"
import type { Mistake, SupabaseOptions } from "./model.js"
import { type Parsed, type Refusal, refuse } from "./parse.js"

/**
 * The names to read a value from; the first that is set wins. New keys come first, since a project that has moved to them
 * refuses its legacy ones. The error for a missing value names the first two.
 */
export const urlNames = ["SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL"] as const
const anonKeyNames = ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"] as const
/** The names that Supabase's and Vercel's tools write for browsers. */
export const publicKeyNames = [
  "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
  "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_DEFAULT_KEY",
  "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_OR_ANON_KEY",
  "NEXT_PUBLIC_SUPABASE_ANON_KEY"
] as const
const serviceRoleKeyNames = ["SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"] as const

/** A value and the name that it was set under; without a value, the names that would have been read. */
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

/** The address without its trailing slash. supabase-js adds the paths itself, so a URL with a path is refused. */
const parseUrl = (text: string): Parsed<string> => {
  const url = Option.getOrUndefined(Option.liftThrowable((input: string) => new URL(input))(text))
  if (url === undefined) return refuse("not a URL", urlRemedy)
  if (url.protocol === "postgres:" || url.protocol === "postgresql:") {
    return refuse("a Postgres connection string, not the address of the API", urlRemedy)
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return refuse("neither http nor https", urlRemedy)
  if (url.username !== "" || url.password !== "") {
    return refuse("a URL with a user name or password in it", "remove them; the keys have their own variables")
  }
  if (url.search !== "" || url.hash !== "") return refuse("a URL with a query or a fragment", urlRemedy)
  if (/^(?:www\.)?supabase\.com$/.test(url.hostname)) return refuse("the address of the dashboard", urlRemedy)
  if (/\/(?:rest|auth|storage|realtime|functions)\/v1\/*$/.test(url.pathname)) {
    return refuse("the address of one service", "end it before /rest/v1 or the like, which the client adds")
  }
  return Either.right(`${url.origin}${url.pathname.replace(/\/+$/, "")}`)
}

/** The Supabase role that a key claims; a key in neither known format claims none. */
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
    remedy: "every read would bypass row level security; give the anon (publishable) key"
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
  if (Option.isNone(named.value)) return [missing(named, "give it as a string or as a Redacted")]
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

// A query may hold an apikey, and credentials come before an @.
const showUrl = (value: Option.Option<string>): string | undefined =>
  Option.getOrUndefined(Option.filter(value, (text) => !/[?#@]/.test(text)))

const urlMistakes = (url: Named): ReadonlyArray<Mistake> =>
  Option.match(Option.map(url.value, parseUrl), {
    onNone: () => [missing(url, urlRemedy)],
    onSome: Either.match({
      onLeft: (refusal) => [mistake({ variable: url.variable }, refusal, showUrl(url.value))],
      onRight: () => []
    })
  })

/** The access for reading only, with the anon key in place of the service-role key, which is then absent. */
const resolveRead = ({ anonKey, url }: Omit<Access, "serviceRoleKey">): Checked<SupabaseOptions> => {
  const mistakes = [...urlMistakes(url), ...keyMistakes("anonKey", anonKey)]
  const complete = Option.all({
    url: Option.flatMap(Option.map(url.value, parseUrl), Either.getRight),
    anonKey: Option.map(anonKey.value, (key) => Redacted.make(key)),
    serviceRoleKey: Option.map(anonKey.value, (key) => Redacted.make(key))
  })
  return mistakes.length === 0 ? Either.fromOption(complete, () => mistakes) : Either.left(mistakes)
}

/** The access, complete or with every mistake in it. */
const resolve = (access: Access): Checked<SupabaseOptions> => {
  const { url, anonKey, serviceRoleKey } = access
  const address = Option.map(url.value, parseUrl)
  const mistakes: ReadonlyArray<Mistake> = [
    ...urlMistakes(url),
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

type Environment = ReadonlyMap<string, string>

const lookup = (environment: Environment, names: ReadonlyArray<string>, first: string): Named => {
  const variable = names.find((name) => environment.has(name)) ?? first
  const others = names.filter((name) => name !== variable && !name.startsWith("NEXT_PUBLIC_"))
  return { variable, others, value: Option.fromNullable(environment.get(variable)) }
}

/** The browser's names may belong to another project than the local one. */
const isOneProject = (environment: Environment): boolean => {
  const [own, browser] = urlNames.map((name) => environment.get(name))
  return own === undefined || browser === undefined || own === browser
}

/** In order of precedence. A new browser key takes precedence over a legacy key of the same project. */
const anonNamesIn = (environment: Environment): ReadonlyArray<string> => {
  const isNew = (name: string): boolean => environment.get(name)?.startsWith("sb_publishable_") === true
  const all = [...anonKeyNames, ...publicKeyNames]
  return isOneProject(environment) ? [...all.filter(isNew), ...all.filter((name) => !isNew(name))] : all
}

const accessOf = (environment: Environment): Access => ({
  url: lookup(environment, urlNames, urlNames[0]),
  anonKey: lookup(environment, anonNamesIn(environment), "SUPABASE_ANON_KEY"),
  serviceRoleKey: lookup(environment, serviceRoleKeyNames, "SUPABASE_SERVICE_ROLE_KEY")
})

/** The source of a key, and the names that hold another key that was not used. */
export interface Source {
  readonly variable: string
  readonly unused: ReadonlyArray<string>
}

/** The sources of both keys, to report which of them the database refuses. */
export const keySources = (environment: Environment): { readonly [K in "anonKey" | "serviceRoleKey"]: Source } => {
  const { anonKey, serviceRoleKey } = accessOf(environment)
  const source = ({ value, variable }: Named, names: ReadonlyArray<string>): Source => {
    const differs = (name: string): boolean => {
      const other = environment.get(name)
      return other !== undefined && other !== Option.getOrUndefined(value)
    }
    return { variable, unused: names.filter(differs) }
  }
  return {
    anonKey: source(anonKey, [...anonKeyNames, ...publicKeyNames]),
    serviceRoleKey: source(serviceRoleKey, serviceRoleKeyNames)
  }
}

const privateName = /^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\.|\.(?:localhost|local|internal|test|lan)$/i
const privateV6 = /^\[(?:::1|f[cd][0-9a-f]{2}:.*|fe80:.*)\]$/i

/** Hosts that are not public: this machine, and networks that are private by address or name. */
const isLocal = (hostname: string): boolean =>
  hostname.startsWith("[") ? privateV6.test(hostname) : !hostname.includes(".") || privateName.test(hostname)

/** Warns of an address to which keys and rows go unencrypted over another network. */
export const plainHttp = (url: string): Option.Option<Refusal> => {
  const { hostname, protocol } = new URL(url)
  return protocol === "http:" && !isLocal(hostname)
    ? Option.some({
        problem: `http to ${hostname}, which is not local: the keys and every row cross the network unencrypted`,
        remedy: "give an address that begins with https://"
      })
    : Option.none()
}

/** No variable at all is valid (the embedded database starts); only some of them is a mistake. */
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

export const readFromEnvironment = (environment: ReadonlyMap<string, string>): Checked<SupabaseOptions> =>
  resolveRead(accessOf(environment))

const plain = (value: unknown): Option.Option<string> => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof text === "string" && text.trim() !== "" ? Option.some(text) : Option.none()
}

/** Values from code. Untyped code may pass anything, so a value that is not a string counts as missing. */
export const fromInput = (input: { readonly [K in keyof SupabaseOptions]?: unknown }): Checked<SupabaseOptions> =>
  resolve({
    url: { variable: "url", others: [], value: plain(input.url) },
    anonKey: { variable: "anonKey", others: [], value: plain(input.anonKey) },
    serviceRoleKey: { variable: "serviceRoleKey", others: [], value: plain(input.serviceRoleKey) }
  })

export const readFromInput = (input: { readonly [K in "url" | "anonKey"]?: unknown }): Checked<SupabaseOptions> =>
  resolveRead({
    url: { variable: "url", others: [], value: plain(input.url) },
    anonKey: { variable: "anonKey", others: [], value: plain(input.anonKey) }
  })

export const secretsOf = (input: { readonly [K in keyof SupabaseOptions]?: unknown }): ReadonlyArray<string> =>
  [input.anonKey, input.serviceRoleKey].flatMap((key) => Option.toArray(plain(key)))
