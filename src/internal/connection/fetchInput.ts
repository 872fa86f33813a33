/** What `fetch` is given, in the plain form that goes on the wire. */
import { version } from "../shared/version.js"

/** A read connection sends these only. */
export const reads = (method: string): boolean => method === "GET" || method === "HEAD"

const known = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"])

/** Upper case where `fetch` makes it so (Fetch standard, "normalize a method": not for PATCH). */
export const methodOf = (method: string | undefined): string => {
  if (method === undefined) return "GET"
  if (known.has(method)) return method
  const upper = method.toUpperCase()
  return known.has(upper) ? upper : method
}

export type PlainBody = string | Uint8Array | null | undefined

export const isPlainBody = (body: unknown): body is PlainBody =>
  body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array

export type PlainHeaders = Readonly<Record<string, string>>

export const plainHeaders = (headers: RequestInit["headers"]): PlainHeaders => {
  if (headers === undefined) return {}
  if (Array.isArray(headers)) return Object.fromEntries(headers)
  return headers instanceof Headers ? Object.fromEntries(headers.entries()) : headers
}

/** What a URL parser would change: not ASCII, spaces, fragments, dot segments. */
export const needsParsing = /[^\x21-\x7e]|[\\"<>^`{|}#]|\/\./

/** What stands behind the origin, or undefined where the URL leads to another server. */
export const pathAt = (url: string, origin: string): string | undefined => {
  // The next character decides: `http://a:54` is no prefix of `http://a:543/`, nor `http://a` of `http://a.evil/`.
  if (url.startsWith(origin) && url.charCodeAt(origin.length) === 0x2f && !needsParsing.test(url)) {
    return url.slice(origin.length)
  }
  if (!URL.canParse(url)) return undefined
  const parsed = new URL(url)
  return parsed.origin === origin ? `${parsed.pathname}${parsed.search}` : undefined
}

/** The table or function that a path ends in, as it stands there. */
export const lastPart = (path: string): string => /[^/]*$/.exec(path.split("?", 1).join(""))?.[0] ?? ""

/** Firewalls refuse who does not say what it is. */
export const userAgent = { "user-agent": `effect-supabase-pool/${version}` }

/**
 * On what the pool asks for itself, and what: so that whoever reads a gateway's log knows, and whoever traces what the
 * application sends is not told (`scripts/bundleUndici.ts`).
 */
export const ownHeader = "x-supabase-pool"

/** With our name, unless the caller has given another; most have it already, and copying costs. */
export const named = (headers: PlainHeaders): PlainHeaders => {
  if (headers["user-agent"] !== undefined) return headers
  for (const name in headers) if (name.toLowerCase() === "user-agent") return headers
  return { ...userAgent, ...headers }
}
