/**
 * The names that a server answers to. Any web page can point its own name to this machine (DNS rebinding); the browser then
 * treats this server as a part of that page, and only the name in the request shows it.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import { isLoopback } from "./addresses.js"
import { answersTo, type Names, nameOf } from "./hostNames.js"
import { hasSeveralHosts } from "./nodeRequest.js"
import { problem } from "./responses.js"

const misdirected = problem(
  421,
  "This server does not answer to that name. Ask for localhost or 127.0.0.1, or allow the name in DB_POOL_ALLOWED_HOSTS (a reverse proxy passes on the name that it was asked for)."
)

/** With two names, a proxy may have checked one and this server the other (RFC 9112 §3.2). */
const ambiguous = problem(400, "The request has several Host headers. Send one.")

/** In that case the request line counts (RFC 9112 §3.2.2). */
const authorityOf = (url: string): string | undefined => /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]

/**
 * On loopback, accepts only loopback's names, `HOST` and the allowed names. Elsewhere it accepts every name, or, if some are
 * allowed, those and addresses. It never accepts two names at once.
 */
export const guarded =
  (address: HttpServer.Address | undefined, names: Names) =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, R> => {
    const onLoopback = address?._tag === "TcpAddress" && isLoopback(address.hostname)
    const byName = address?._tag === "TcpAddress" && (onLoopback || names.allowedHosts.length > 0)
    return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      if (hasSeveralHosts(request)) return Effect.succeed(ambiguous)
      const target = authorityOf(request.originalUrl)
      const host = request.headers["host"]
      const asked = target === undefined ? [host] : [host, target]
      const isOurs = !byName || asked.every((each) => answersTo(nameOf(each), names, onLoopback))
      return isOurs ? app : Effect.succeed(misdirected)
    })
  }
