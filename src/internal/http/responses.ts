import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

export const noStore = { "cache-control": "no-store" }

/** What is wrong, as JSON. */
export const problem = (status: number, error: string, headers: Record<string, string> = {}) =>
  HttpServerResponse.unsafeJson({ error }, { status, headers: { ...noStore, ...headers } })

export const pathOf = (url: string): string => url.split("?", 1)[0] ?? url
