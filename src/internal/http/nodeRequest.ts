/**
 * Parts of a Node request that Effect's request does not show. Recognised by its shape, so nothing here loads Node's http.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"

type SourceRequest = Pick<HttpServerRequest.HttpServerRequest, "headers" | "source">

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

export const hangUpOn = ({ source }: SourceRequest): Effect.Effect<void> =>
  Effect.sync(() => {
    const socket = isObject(source) && "socket" in source ? source.socket : undefined
    if (isObject(socket) && "destroy" in socket && typeof socket.destroy === "function") socket.destroy()
  })

export const isHttp10 = ({ source }: SourceRequest): boolean =>
  isObject(source) && "httpVersion" in source && source.httpVersion === "1.0"

/** Node keeps only the first `Host`; other servers join them with commas, which no name contains. */
export const hasSeveralHosts = ({ headers, source }: SourceRequest): boolean => {
  const raw: unknown = isObject(source) && "rawHeaders" in source ? source.rawHeaders : undefined
  const sent = Array.isArray(raw)
    ? raw.filter((name: unknown, index) => index % 2 === 0 && typeof name === "string" && name.toLowerCase() === "host")
    : []
  return sent.length > 1 || headers["host"]?.includes(",") === true
}
