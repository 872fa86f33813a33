/** What a request of Node's server has and Effect's does not show. Known by its shape, so that nothing here loads Node's http. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"

type Request = Pick<HttpServerRequest.HttpServerRequest, "headers" | "source">

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

export const hangUpOn = ({ source }: Request): Effect.Effect<void> =>
  Effect.sync(() => {
    const socket = isObject(source) && "socket" in source ? source.socket : undefined
    if (isObject(socket) && "destroy" in socket && typeof socket.destroy === "function") socket.destroy()
  })

export const isHttp10 = ({ source }: Request): boolean =>
  isObject(source) && "httpVersion" in source && source.httpVersion === "1.0"

/** Node keeps the first `Host` and forgets the others; elsewhere they are one header with commas, which no name has. */
export const hasSeveralHosts = ({ headers, source }: Request): boolean => {
  const raw: unknown = isObject(source) && "rawHeaders" in source ? source.rawHeaders : undefined
  const sent = Array.isArray(raw)
    ? raw.filter((name: unknown, index) => index % 2 === 0 && typeof name === "string" && name.toLowerCase() === "host")
    : []
  return sent.length > 1 || headers["host"]?.includes(",") === true
}
