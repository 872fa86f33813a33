import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Duration } from "effect"

export const noStore = { "cache-control": "no-store" }

/** What is wrong, as JSON. */
export const problem = (status: number, error: string, headers: Record<string, string> = {}) =>
  HttpServerResponse.unsafeJson({ error }, { status, headers: { ...noStore, ...headers } })

/** When it is worth asking again, in whole seconds, upwards: who comes back then is let in (RFC 9110 §10.2.3). */
export const retryAfter = (wait: Duration.Duration): Record<string, string> => ({
  "retry-after": String(Math.max(1, Math.ceil(Duration.toSeconds(wait))))
})

export const pathOf = (url: string): string => url.split("?", 1)[0] ?? url
