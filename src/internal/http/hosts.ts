/**
 * By which names a server may be called. A page from anywhere can let its own name lead to this machine (DNS rebinding);
 * the browser then takes what is here for a part of that page, and only the name in the request tells.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import type { ServerOptions } from "../../Config.js"
import { isIPv4, isIPv6, isLoopback } from "./addresses.js"
import { problem } from "./responses.js"

type Names = Pick<ServerOptions, "allowedHosts" | "host">

/** The name in `Host`, as a URL has it; nothing where it is none. */
const nameOf = (host: string | undefined): string | undefined => {
  if (host === undefined || !/^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d*)?$/i.test(host)) return undefined
  const url = `http://${host}/`
  if (!URL.canParse(url)) return undefined
  return new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
}

const isLoopbackName = (name: string): boolean =>
  name === "localhost" || name.endsWith(".localhost") || isLoopback(name)

/** `*.example.com` is every name below it, `*` every name. */
const isAllowed = (name: string, allowed: string): boolean => {
  if (allowed === "*") return true
  return allowed.startsWith("*.") ? name.endsWith(allowed.slice(1)) : name === allowed
}

/** Whether a server that listens there answers to that name; `undefined` is none, or what cannot be one. */
const answersTo = (name: string | undefined, { allowedHosts, host }: Names, onLoopback: boolean): boolean => {
  if (allowedHosts.includes("*")) return true
  if (name === undefined) return false
  // No page has an address for its name that is not where it came from.
  if (isLoopbackName(name) || (!onLoopback && (isIPv4(name) || isIPv6(name)))) return true
  return name === host.toLowerCase() || allowedHosts.some((allowed) => isAllowed(name, allowed))
}

const misdirected = problem(
  421,
  "This server does not answer to that name. Ask for localhost or 127.0.0.1, or allow the name in DB_POOL_ALLOWED_HOSTS (a reverse proxy passes on the name that it was asked for)."
)

/** What stands in the request line is what counts then (RFC 9112 §3.2.2). */
const authorityOf = (url: string): string | undefined => /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]

/**
 * On loopback only loopback's names, `HOST` and those that are allowed; elsewhere every name, unless some are allowed: then
 * those, and addresses.
 */
export const guarded =
  (address: HttpServer.Address | undefined, names: Names) =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, R> => {
    if (address?._tag !== "TcpAddress") return app
    const onLoopback = isLoopback(address.hostname)
    if (!onLoopback && names.allowedHosts.length === 0) return app
    return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers, originalUrl }) => {
      const target = authorityOf(originalUrl)
      const asked = target === undefined ? [headers["host"]] : [headers["host"], target]
      return asked.every((host) => answersTo(nameOf(host), names, onLoopback)) ? app : Effect.succeed(misdirected)
    })
  }
