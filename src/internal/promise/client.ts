/** `createPooledClient`: a `SupabaseClient` whose database requests go through the pools, with a builder that costs less. */
import { type createClient, SupabaseClient } from "@supabase/supabase-js"
import { leaveRetriesToPool } from "../connection/builderFields.js"
import { userAgent } from "../connection/fetchInput.js"
import { refuseMissingValues } from "../connection/filterValues.js"
import { type Fetch, NoRealtime, sendingAlso, within } from "../connection/supabaseClient.js"
import { markHalves } from "../connection/wholeText.js"
import { send } from "./fetch.js"
import type { Host } from "./host.js"
import { addressOf, answererOf, onceHeader, questionOf } from "./question.js"
import { User } from "./user.js"

type HostOf = (url: string) => Host

type Options = ConstructorParameters<typeof SupabaseClient>[2]

/** What fails says so in words that a builder does not take for success. */
const pooled =
  (host: () => Host, user?: User): Fetch =>
  (input, init) => {
    try {
      const question = questionOf(addressOf(input), input, init)
      if (question instanceof Error) return Promise.reject(question)
      return question instanceof Promise
        ? question.then((read) => send(host(), read, user))
        : send(host(), question, user)
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

/** The database by the pool; auth, storage and functions as without it. */
const splitting =
  (base: string, database: Fetch, others: Fetch | undefined): Fetch =>
  (input, init) => {
    const answerer = answererOf(addressOf(input), base)
    if (answerer === "database") return database(input, init)
    return answerer === "project" ? (others ?? globalThis.fetch)(input, init) : Promise.reject(answerer)
  }

const withOnce = (builder: object): void => {
  const set: unknown = Reflect.get(builder, "setHeader")
  if (typeof set === "function") Reflect.apply(set, builder, [onceHeader, "true"])
}

/** What a request itself says of its token stands above the client's. */
const unlessSaid =
  (database: Fetch, ofUser: Fetch): Fetch =>
  (input, init) =>
    (new Headers(init?.headers).has("authorization") ? database : ofUser)(input, init)

interface Ways {
  readonly database: Fetch
  /** Where a function gives the token: it is asked when the request is about to leave. */
  readonly ofUser: Fetch | undefined
}

class LeanClient extends SupabaseClient {
  /** Without a store a session begins with an event, so that nobody has to look for one before. */
  private hasSession = true

  constructor(url: string, key: string, options: Options, hostOf: HostOf) {
    const base = url.trim().replace(/\/+$/, "")
    const database = pooled(() => hostOf(base))
    super(url, key, {
      ...options,
      global: { ...options?.global, fetch: splitting(base, database, options?.global?.fetch) },
      realtime: { ...("WebSocket" in globalThis ? {} : { transport: NoRealtime }), ...options?.realtime }
    })
    // Both are done by what supabase-js puts around each fetch.
    if (options?.tracePropagation === undefined && options?.db?.timeout === undefined) {
      this.watchSession(options)
      const { accessToken } = this
      const ofUser =
        accessToken === undefined
          ? undefined
          : pooled(() => hostOf(base), new User(async () => (await accessToken()) ?? key))
      this.lean(key, { database, ofUser }, options?.global?.headers)
    }
    // Before the others: they hold on to the methods that a builder has when it is made, in its class the first time.
    refuseMissingValues(this.rest, (refused) => Promise.reject(refused))
    leaveRetriesToPool(this.rest, withOnce)
    markHalves(this.rest)
  }

  private watchSession(options: Options): void {
    if (this.accessToken !== undefined || options?.auth?.persistSession !== false) return
    this.hasSession = false
    this.auth.onAuthStateChange((_, session) => {
      this.hasSession = session !== null
    })
  }

  /**
   * Fixed headers instead of copies of copies, and no look for a session where there can be none. What the caller gives
   * stays with the builders, which add to it: `Prefer` is a list.
   */
  private lean(key: string, { database, ofUser }: Ways, given: HeadersInit | undefined): void {
    const own = Object.fromEntries(this.rest.headers.entries())
    const fixed = { ...userAgent, apikey: key, ...own }
    const asWhoIsSignedIn: Fetch = async (input, init) => {
      const authorization = `Bearer ${(await this.sessionToken()) ?? key}`
      return database(input, { ...init, headers: { authorization, ...init?.headers } })
    }
    const asUser = ofUser === undefined ? asWhoIsSignedIn : unlessSaid(database, ofUser)
    const sending = own["authorization"] === undefined ? asUser : database
    this.rest.headers = new Headers(given)
    this.rest.fetch = within(
      `${this.rest.url}/`,
      sendingAlso(fixed, sending, () => {}),
      () => {}
    )
    // Newer versions make the client of another schema from these, and not from `fetch`.
    Reflect.set(this.rest, "baseFetch", this.rest.fetch)
    Reflect.set(this.rest, "wrapFetch", undefined)
  }

  private async sessionToken(): Promise<string | undefined> {
    if (!this.hasSession) return undefined
    const { data } = await this.auth.getSession()
    return data.session?.access_token
  }
}

/** The types are those of supabase-js's own, whatever the class knows of them. */
export const clientOn =
  (hostOf: HostOf): typeof createClient =>
  (url, key, options) =>
    Reflect.construct(LeanClient, [url, key, options, hostOf])
