import { SupabaseClient, type WebSocketLike } from "@supabase/supabase-js"
import { Redacted } from "effect"
import { QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { withoutThese } from "../shared/text.js"
import { unsaid } from "./builderFields.js"
import { type PlainHeaders, plainHeaders, userAgent } from "./fetchInput.js"
import { refuseMissingValues } from "./filterValues.js"
import { withArguments } from "./rpcArguments.js"
import { markHalves } from "./wholeText.js"

export type Fetch = typeof globalThis.fetch

/** Told of what was refused: the builder makes words of what `fetch` rejects with. */
type Refuse = (error: QueryError) => void

/** Realtime has sockets of its own, so it has no place on a pooled one. Passed because Node 20 has no WebSocket. */
export class NoRealtime implements WebSocketLike {
  declare readonly CONNECTING: number
  declare readonly OPEN: number
  declare readonly CLOSING: number
  declare readonly CLOSED: number
  declare readonly readyState: number
  declare readonly url: string
  declare readonly protocol: string
  declare readonly close: WebSocketLike["close"]
  declare readonly send: WebSocketLike["send"]
  declare onopen: WebSocketLike["onopen"]
  declare onmessage: WebSocketLike["onmessage"]
  declare onclose: WebSocketLike["onclose"]
  declare onerror: WebSocketLike["onerror"]
  declare readonly addEventListener: WebSocketLike["addEventListener"]
  declare readonly removeEventListener: WebSocketLike["removeEventListener"]

  constructor() {
    throw new Error(
      "This client has no realtime: a pooled connection owns one HTTP socket, and Node has a WebSocket from 22 on. " +
        "Use createClient for channels, on Node 20 with realtime.transport."
    )
  }
}

/** What supabase-js takes for the key and the token: it keeps them in fields, which whoever prints a client would see. */
const hidden = "<redacted>"

/**
 * A supabase-js client whose every request uses one socket.
 *
 * What supabase-js does beside the database is off: the session lookup before each request (`accessToken`), its own
 * retries (there is one owner of retries), realtime. Its `rest` gets the socket's `fetch` directly, with fixed
 * headers, and without the wrapper that copies the headers of each request.
 *
 * The key and the token are in closures only, so that nothing shows them, however a client or a part of it is printed.
 */
export class ConnectionClient extends SupabaseClient {
  readonly #fetch: Fetch
  readonly #refuse: Refuse
  /** What every request carries beside its key and token. */
  readonly #headers: PlainHeaders

  constructor(url: string, key: Redacted.Redacted, token: Redacted.Redacted, fetch: Fetch, refuse: Refuse) {
    const keys = keysOf(key, token)
    super(url, hidden, {
      accessToken: () => Promise.resolve(hidden),
      global: { fetch: inPlaceOfHidden(keys, fetch, refuse) },
      realtime: { transport: NoRealtime }
    })
    this.#fetch = fetch
    this.#refuse = refuse
    this.#headers = { ...userAgent, ...Object.fromEntries(this.rest.headers.entries()) }
    const { rest } = this
    rest.fetch = within(`${rest.url}/`, sendingAlso({ ...this.#headers, ...keys }, fetch, refuse), refuse)
    prepare(rest, refuse)
    carry(this, rest.fetch, keys)
  }

  /**
   * The same socket as somebody else. Made in 3 µs where another `ConnectionClient` takes 110, since it has the database's
   * part alone: a server has another user with each request. The other parts are made when somebody asks for one.
   */
  as(key: Redacted.Redacted, token: Redacted.Redacted): SupabaseClient
  as(key: Redacted.Redacted, token: Redacted.Redacted): unknown {
    const keys = keysOf(key, token)
    const { schemaName, url } = this.rest
    const fetch = within(`${url}/`, sendingAlso({ ...this.#headers, ...keys }, this.#fetch, this.#refuse), this.#refuse)
    // Not by inheritance from this one's: what it was prepared with holds on to it, and to its key.
    const rest: Rest = Reflect.construct(this.rest.constructor, [url, { headers: {}, schema: schemaName, fetch }])
    rest.fetch = fetch
    prepare(rest, this.#refuse)
    const client: object = Object.create(likeness(this))
    Object.defineProperty(client, "rest", { value: rest, writable: true, enumerable: true, configurable: true })
    wholes.set(client, () => new ConnectionClient(this.supabaseUrl, key, token, this.#fetch, this.#refuse))
    carry(client, fetch, keys)
    return client
  }
}

/** supabase-js's client of PostgREST. */
type Rest = ReturnType<SupabaseClient["schema"]>

/** What makes the whole client of one that has its `rest` alone. */
const wholes: WeakMap<object, () => object> = new WeakMap()

const wholeOf = (client: object): object => {
  const make = wholes.get(client)
  if (make === undefined) throw new TypeError("this is not a client of a pooled connection")
  const whole = make()
  wholes.set(client, () => whole)
  return whole
}

let likenessOfAll: object | undefined

/** What a client has beside its `rest`, each taken from the whole one. Which fields those are, a whole one tells. */
const likeness = (whole: ConnectionClient): object => {
  likenessOfAll ??= Object.create(
    ConnectionClient.prototype,
    Object.fromEntries(
      Object.getOwnPropertyNames(whole).map((name) => [
        name,
        {
          get(this: object): unknown {
            return Reflect.get(wholeOf(this), name)
          },
          set(this: object, value: unknown): void {
            Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
          }
        }
      ])
    )
  )
  return likenessOfAll ?? {}
}

/** Makes a client of PostgREST with its `fetch` in place what a pooled client's is. */
const prepare = (rest: Rest, refuse: Refuse): void => {
  // The builder copies them four times for each request, and copying `Headers` takes longer than sending does.
  rest.headers = new Headers()
  Reflect.set(rest, "retry", unsaid)
  // Newer versions make the client of another schema from these, and not from `fetch`.
  Reflect.set(rest, "baseFetch", rest.fetch)
  Reflect.set(rest, "wrapFetch", undefined)
  const refusing = (refused: QueryError): Promise<never> => {
    refuse(refused)
    return Promise.reject(refused)
  }
  withArguments(rest, refusing)
  refuseMissingValues(rest, refusing)
  markHalves(rest)
}

/** The keys of each client; builders know it by its `fetch`. */
const carried: WeakMap<object, Keys> = new WeakMap()

const carry = (client: object, fetch: Fetch, keys: Keys): void => {
  carried.set(client, keys)
  carried.set(fetch, keys)
}

const secretsIn = (keys: Keys | undefined): ReadonlyArray<string> =>
  keys === undefined ? [] : [keys.apikey, keys.authorization.slice("Bearer ".length)]

const carriedBy = (asked: object): ReadonlyArray<string> => {
  const own = carried.get(asked)
  if (own !== undefined) return secretsIn(own)
  return "fetch" in asked && typeof asked.fetch === "function" ? secretsIn(carried.get(asked.fetch)) : []
}

/**
 * Somebody else's words without keys and tokens: a server may repeat what it was sent. What looks like one, and those of
 * the client or the builder that asked, whatever they look like.
 */
export const withoutSecretsOf = (asked: object, text: string): string => withoutThese(carriedBy(asked), text)

interface Keys extends PlainHeaders {
  readonly apikey: string
  readonly authorization: string
}

const keysOf = (key: Redacted.Redacted, token: Redacted.Redacted): Keys => ({
  apikey: Redacted.value(key),
  authorization: `Bearer ${Redacted.value(token)}`
})

/**
 * With one of these a server on the way could make another request of one that was let through by its method, or send
 * it to somebody else.
 */
export const misleading: ReadonlySet<string> = new Set([
  "host",
  "x-http-method",
  "x-http-method-override",
  "x-method-override"
])

const rejected = (reason: string, hint: string, refuse: Refuse): Promise<never> => {
  const refused = invalidRequest(reason, hint)
  refuse(refused)
  return Promise.reject(refused)
}

const misled = (name: string, refuse: Refuse): Promise<never> =>
  rejected(
    `the header ${name} could make another request of this one`,
    "Leave it out: the method is the builder's, the server this client's.",
    refuse
  )

/** Upwards, also where only a server on the way sees it, which decodes a path before it looks where that leads. */
const upwards = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){2}(?:[/\\]|%2f|%5c|$)/i

const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0] ?? ""

/** Supabase's keys of today, which are no tokens. */
const isNewKey = (key: string): boolean => key.startsWith("sb_publishable_") || key.startsWith("sb_secret_")

/** Functions check who calls by the token in `Authorization`, and take a new key there for a token that is broken. */
const isFunction = (input: RequestInfo | URL): boolean =>
  /\/functions\/v1(?:\/|$)/.test(withoutQuery(input instanceof Request ? input.url : String(input)))

/** For storage and functions, whose headers supabase-js makes. What their caller says of the two goes as it is. */
const inPlaceOfHidden =
  (keys: Keys, fetch: Fetch, refuse: Refuse): Fetch =>
  (input, init) => {
    const headers = new Headers(init?.headers)
    for (const name of misleading) if (headers.has(name)) return misled(name, refuse)
    const byKeyAlone = keys.authorization === `Bearer ${keys.apikey}` && isNewKey(keys.apikey) && isFunction(input)
    if (typeof input === "string" && upwards.test(withoutQuery(input))) {
      return rejected("the name of the file leads out of its bucket", "Take no `..` in names from outside.", refuse)
    }
    if ((headers.get("apikey") ?? hidden) === hidden) headers.set("apikey", keys.apikey)
    if ((headers.get("authorization") ?? hidden).endsWith(hidden)) {
      if (byKeyAlone) headers.delete("authorization")
      else headers.set("authorization", keys.authorization)
    }
    return fetch(input, { ...init, headers })
  }

/** Adds what every request carries. What the request says itself wins; the builder names headers in lower case too. */
export const sendingAlso =
  (fixed: PlainHeaders, fetch: Fetch, refuse: Refuse): Fetch =>
  (input, init) => {
    const own = plainHeaders(init?.headers)
    let headers = fixed
    for (const name in own) {
      if (misleading.has(name.toLowerCase())) return misled(name, refuse)
      if (headers === fixed) headers = { ...fixed, ...own }
    }
    // By name, since copying an object of which nobody knows what is in it takes longer than all of this.
    return fetch(input, {
      method: init?.method ?? "GET",
      headers,
      body: init?.body ?? null,
      signal: init?.signal ?? null
    })
  }

/** Nothing is decoded in most paths: no table's name has a percent sign in it. */
export const leadsOut = (url: string, base: string): boolean => {
  if (!url.startsWith(base)) return true
  const percent = url.indexOf("%", base.length)
  if (percent === -1) return false
  const query = url.indexOf("?", base.length)
  if (query !== -1 && query < percent) return false
  return upwards.test(url.slice(base.length, query === -1 ? url.length : query))
}

/**
 * A table's name is part of a path, and `../../auth/v1/admin/users` would lead to the service role's other doors.
 * The builder has parsed the URL, so only dots and slashes in code are left to hide behind.
 */
export const within =
  (base: string, fetch: Fetch, refuse: Refuse): Fetch =>
  (input, init) => {
    if (typeof input !== "string" || !leadsOut(input, base)) return fetch(input, init)
    return rejected(
      "the name of the table or function leads out of the database's API",
      "Take no names of tables from outside.",
      refuse
    )
  }

/** What an HTTP header can carry as `Bearer …`: nothing that could begin another header. */
const sendable = /^[\x21-\x7e]+$/

/** Undefined when it can be sent. The error does not repeat it. */
export const unsendableToken = (token: Redacted.Redacted): QueryError | undefined =>
  sendable.test(Redacted.value(token))
    ? undefined
    : new QueryError({
        code: "INVALID_TOKEN",
        reason: "the access token is empty or has characters that no HTTP header can carry",
        details: "",
        hint: "Give Db.withAccessToken the token alone: no spaces, line breaks or quotes.",
        status: 0
      })

/** One that sends nothing, for a token that cannot be sent: it must not send with another. */
export const refusingClient = (url: string, failure: QueryError, refuse: Refuse): SupabaseClient => {
  const nothing = Redacted.make(hidden)
  const never: Fetch = () => {
    refuse(failure)
    return Promise.reject(failure)
  }
  return new ConnectionClient(url, nothing, nothing, never, refuse)
}

/** `token` is what `Authorization` carries: the key itself, or a user's access token. */
export const makeClient = (
  url: string,
  key: Redacted.Redacted,
  token: Redacted.Redacted,
  fetch: Fetch,
  refuse: Refuse = () => {}
): ConnectionClient => new ConnectionClient(url, key, token, fetch, refuse)
