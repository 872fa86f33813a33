/**
 * One `traceparent` a request. An instrumentation of undici (OpenTelemetry's, Sentry's) adds one where a request is made;
 * a second would make the header invalid, and servers drop both. Theirs stays: it names the span of the request itself.
 */
import { channel } from "node:diagnostics_channel"
import type { Dispatcher } from "undici"

const created = channel("undici:request:create")

/** A request as undici shows it, with names and values in turn. */
interface Created {
  readonly path: string
  readonly headers: ReadonlyArray<unknown>
  readonly addHeader: (name: string, value: string) => unknown
}

const isCreated = (value: unknown): value is Created =>
  typeof value === "object" &&
  value !== null &&
  "path" in value &&
  "headers" in value &&
  Array.isArray(value.headers) &&
  "addHeader" in value &&
  typeof value.addHeader === "function"

const names = (headers: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  headers.flatMap((header, at) => (at % 2 === 0 ? [String(header).toLowerCase()] : []))

/**
 * Sends what `send` is given. Where somebody listens, `traceparent` is left out, and added when all who listen have been
 * told and none has added one: who subscribes last is called last.
 */
export const withOneTrace = (
  options: Dispatcher.DispatchOptions,
  headers: Readonly<Record<string, string>>,
  send: (options: Dispatcher.DispatchOptions) => void
): void => {
  if (headers["traceparent"] === undefined || !created.hasSubscribers) {
    send(options)
    return
  }
  const { traceparent, ...others } = headers
  const listener = (message: unknown): void => {
    if (typeof message !== "object" || message === null || !("request" in message)) return
    const { request } = message
    // Who listens may send something too.
    if (!isCreated(request) || request.path !== options.path) return
    if (traceparent !== undefined && !names(request.headers).includes("traceparent"))
      request.addHeader("traceparent", traceparent)
  }
  created.subscribe(listener)
  try {
    send({ ...options, headers: others })
  } finally {
    created.unsubscribe(listener)
  }
}
