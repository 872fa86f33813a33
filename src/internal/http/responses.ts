import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration } from "effect"
import { printableJson } from "../shared/printable.js"

export const noStore = { "cache-control": "no-store" }

/** JSON without control characters, so that it is safe in a terminal (curl). */
export const json = (
  body: unknown,
  { headers, status = 200 }: { readonly status?: number; readonly headers?: Record<string, string> } = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(printableJson(JSON.stringify(body)), {
    status,
    headers: { ...noStore, ...headers },
    contentType: "application/json"
  })

/** An error as JSON. */
export const problem = (status: number, error: string, headers: Record<string, string> = {}) =>
  json({ error }, { status, headers })

/** `Retry-After` in whole seconds, rounded up, so that a client that waits is let in (RFC 9110 §10.2.3). */
export const retryAfter = (wait: Duration.Duration): Record<string, string> => ({
  "retry-after": String(Math.max(1, Math.ceil(Duration.toSeconds(wait))))
})

export const pathOf = (url: string): string => url.split("?", 1)[0] ?? url
