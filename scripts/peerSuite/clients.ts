/** What takes the place of `PostgrestClient` in the suite where a way of running it asks for a client of supabase-js. */
import { createClient } from "@supabase/supabase-js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { Hosts } from "../../src/internal/promise/hosts.js"

const restPath = "/rest/v1"

interface Options {
  readonly headers?: HeadersInit
  readonly schema?: string
  readonly fetch?: unknown
  readonly timeout?: number
  readonly urlLengthLimit?: number
}

type Constructor = new (url: string, options?: Options) => object

const hosts = new Hosts()

const pooled = clientOn((url) => hosts.of(url))

export const closeClients = (): Promise<unknown> => hosts.shared.shutdown()

/** As `PostgrestClient` is made: `rest` of a client of supabase-js that is made in that way. */
const restOf = (
  make: typeof createClient,
  key: string,
  url: string,
  { headers, schema, timeout, urlLengthLimit }: Options
) => {
  const client = make(url.slice(0, -restPath.length), key, {
    auth: { persistSession: false, autoRefreshToken: false },
    accessToken: () => Promise.resolve(key),
    realtime: { transport: NoRealtime },
    global: { headers: Object.fromEntries(new Headers(headers).entries()) },
    db: {
      ...(schema === undefined ? {} : { schema }),
      ...(timeout === undefined ? {} : { timeout }),
      ...(urlLengthLimit === undefined ? {} : { urlLengthLimit })
    }
  })
  const rest: unknown = Reflect.get(client, "rest")
  return rest as object
}

/** A class that makes `rest` where the suite speaks to the database, and the suite's own client where it brings a `fetch`. */
export const clientClass = (own: Constructor, isPooled: boolean, base: string, key: string): Constructor => {
  const make = isPooled ? pooled : createClient
  const made = (url: string, options: Options = {}): object =>
    options.fetch === undefined && url === `${base}${restPath}`
      ? restOf(make, key, url, options)
      : new own(url, options)
  // Not an arrow function, which `new` refuses; what `new` gives is what is returned.
  return function build(url: string, options?: Options) {
    return made(url, options)
  } as unknown as Constructor
}
