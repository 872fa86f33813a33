import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration } from "effect"
import { printableJson } from "../shared/printable.js"

export const noStore = { "cache-control": "no-store" }

/** JSON that gives no orders to the terminal of who asks with curl. */
export const json = (
  body: unknown,
  { headers, status = 200 }: { readonly status?: number; readonly headers?: Record<string, string> } = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(printableJson(JSON.stringify(body)), {
    status,
    headers: { ...noStore, ...headers },
    contentType: "application/json"
  })

/** What is wrong, as JSON. */
export const problem = (status: number, error: string, headers: Record<string, string> = {}) =>
  json({ error }, { status, headers })

/** When it is worth asking again, in whole seconds, upwards: who comes back then is let in (RFC 9110 §10.2.3). */
export const retryAfter = (wait: Duration.Duration): Record<string, string> => ({
  "retry-after": String(Math.max(1, Math.ceil(Duration.toSeconds(wait))))
})

export const pathOf = (url: string): string => url.split("?", 1)[0] ?? url
