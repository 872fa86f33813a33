/** What `fetch` is called with, read once: what its caller changes afterwards changes nothing of what is sent. */
import type { QueryError } from "../../Errors.js"
import { requestOf } from "../connection/fetchErrors.js"
import {
  isPlainBody,
  methodOf,
  needsParsing,
  type PlainBody,
  type PlainHeaders,
  reads
} from "../connection/fetchInput.js"
import { leadsOut, misleading } from "../connection/supabaseClient.js"
import { invalidRequest } from "../errors/invalidRequest.js"

export interface Question {
  readonly url: string
  readonly method: string
  /** Their names in lower case. */
  readonly headers: PlainHeaders
  readonly body: string | Uint8Array<ArrayBuffer> | null | undefined
  readonly signal: AbortSignal | undefined
  readonly redirect: RequestRedirect
  /** Somebody else repeats it. */
  readonly once: boolean
}

/** Of our own clients: `.retry(false)` was said of the builder. Not sent. */
export const onceHeader = "x-supabase-pool-once"

/** supabase-js numbers its own repetitions. */
const repeatedBySupabase = "x-retry-count"

/** A scheme is the same in lower case. */
const hasCapitals = /^[^:]*[A-Z]/

/** Whole, as it would be sent; what is none stays as it is. */
export const addressOf = (input: RequestInfo | URL): string => {
  const url = typeof input === "string" ? input : input instanceof URL ? input.href : input.url
  if (!needsParsing.test(url) && !hasCapitals.test(url)) return url
  if (!URL.canParse(url)) return url
  const parsed = new URL(url)
  parsed.hash = ""
  return parsed.href
}

/**
 * Who answers an address: the database by way of the pool, another service of the same project, or somebody whom the pool
 * does not know.
 */
export const answererOf = (url: string, base: string): "database" | "project" | QueryError => {
  const path = url.charCodeAt(base.length)
  const isOurs = url.startsWith(base) && (path === 0x2f || path === 0x3f || url.length === base.length)
  if (!isOurs) return stranger(url, base)
  if (!url.startsWith("/rest/v1/", base.length)) return "project"
  return leadsOut(url, `${base}/rest/v1/`)
    ? invalidRequest(
        "the name of the table or function leads out of the database's API",
        "Take no names of tables from outside."
      )
    : "database"
}

const stranger = (url: string, base: string): QueryError =>
  invalidRequest(
    URL.canParse(url)
      ? `the request is for ${new URL(url).origin}, and the pool for ${base} only. Nothing was sent`
      : "the address is not one that can be asked. Nothing was sent",
    "Give the client the address that SUPABASE_URL has, or use createDatabase or createPooledClient for another project."
  )

const withName = (all: Record<string, string>, name: string, value: unknown): void => {
  const lower = name.toLowerCase()
  const before = all[lower]
  all[lower] = before === undefined ? String(value) : `${before}, ${String(value)}`
}

/** A copy. */
const headersOf = (given: RequestInit["headers"]): Record<string, string> => {
  if (given instanceof Headers) return Object.fromEntries(given.entries())
  const all: Record<string, string> = {}
  if (given === undefined) return all
  if (Array.isArray(given)) for (const [name = "", value] of given) withName(all, name, value)
  else for (const name in given) withName(all, name, given[name])
  return all
}

const refusalOf = (method: string, headers: PlainHeaders, hasBody: boolean): Error | undefined => {
  for (const name in headers) {
    if (misleading.has(name)) {
      return invalidRequest(
        `the header ${name} could make another request of this one`,
        "Leave it out: the method and the address say what is asked, and of whom."
      )
    }
  }
  return hasBody && reads(method) ? new TypeError("Request with GET/HEAD method cannot have body.") : undefined
}

const plain = (url: string, init: RequestInit | undefined, body: PlainBody): Question | Error => {
  const method = methodOf(init?.method)
  const headers = headersOf(init?.headers)
  const hasBody = body !== undefined && body !== null
  const refused = refusalOf(method, headers, hasBody)
  if (refused !== undefined) return refused
  if (typeof body === "string") headers["content-type"] ??= "text/plain;charset=UTF-8"
  const once = headers[onceHeader] !== undefined || headers[repeatedBySupabase] !== undefined
  if (once) delete headers[onceHeader]
  return {
    url,
    method,
    headers,
    body: body instanceof Uint8Array ? body.slice() : body,
    signal: init?.signal ?? undefined,
    redirect: init?.redirect ?? "follow",
    once
  }
}

/** Rejects as soon as the signal says so, whatever the body does. */
const bytesOf = (request: Request, signal: AbortSignal | undefined): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    if (signal?.aborted === true) return onAbort()
    signal?.addEventListener("abort", onAbort, { once: true })
    request
      .arrayBuffer()
      .then((buffer) => resolve(new Uint8Array(buffer)), reject)
      .finally(() => signal?.removeEventListener("abort", onAbort))
  })

/** A form, a blob, a stream, a `Request`: its body is read to its end, since it may have to be sent again. */
const read = async (url: string, input: RequestInfo | URL, init: RequestInit | undefined): Promise<Question> => {
  const request = requestOf(input, init)
  if (request === undefined) {
    throw invalidRequest(
      "fetch was called with what is no request. Nothing was sent",
      'Look at its method, its headers and its body: a stream needs duplex: "half".'
    )
  }
  const signal = init?.signal === undefined && input instanceof Request ? input.signal : (init?.signal ?? undefined)
  const body = request.body === null ? undefined : await bytesOf(request, signal)
  const { headers, method, redirect } = request
  const asked = plain(url, { method, headers, redirect, signal: signal ?? null }, body)
  if (asked instanceof Error) throw asked
  return asked
}

/** At once, where nothing has to be read. */
export const questionOf = (
  url: string,
  input: RequestInfo | URL,
  init: RequestInit | undefined
): Question | Error | Promise<Question> => {
  const body = init?.body
  return !(input instanceof Request) && isPlainBody(body) ? plain(url, init, body) : read(url, input, init)
}
