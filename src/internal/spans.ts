/**
 * Spans of operations, described as OpenTelemetry's conventions for database clients say, and the header that makes
 * PostgREST's own spans their children.
 *
 * Only where the caller is inside a span: an operation alone makes none, and costs nothing for it.
 */
import { Cause, Effect, type Exit, Option, type Tracer } from "effect"
import { isDbError, type Mode } from "../Errors.js"
import { keyOf, shapeOf } from "./metrics/shape.js"

const names: Readonly<Record<Mode, string>> = { read: "Db.read", write: "Db.write" }

const ours = new WeakSet<Tracer.AnySpan>()

const rowsIn = (data: unknown): number => {
  if (Array.isArray(data)) return data.length
  return data === null || data === undefined ? 0 : 1
}

/** Says how many rows came, if the span is an operation's. */
export const returned = (span: Tracer.AnySpan | undefined, data: unknown): void => {
  if (span?._tag === "Span" && ours.has(span)) span.attribute("db.response.returned_rows", rowsIn(data))
}

const failed = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (exit._tag === "Success") return
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (!isDbError(error)) return
  span.attribute("error.type", error._tag)
  if (error._tag !== "QueryError") return
  const status = error.code === "" ? String(error.status) : error.code
  span.attribute("db.response.status_code", status)
}

/** What is known of an operation when it ends. */
export interface Traced {
  /** The last connection it had; empty when it had none. */
  readonly connectionId: string
  readonly retries: number
  /** For connections, in ms. */
  readonly waited: number
  readonly method: string
  readonly path: string
  readonly requests: number
}

const described = (span: Tracer.Span, { connectionId, method, path, requests, retries, waited }: Traced): void => {
  if (connectionId !== "") span.attribute("supabase.connection.id", connectionId)
  span.attribute("supabase.connection.wait_time", waited / 1_000)
  if (retries > 0) span.attribute("http.request.resend_count", retries)
  if (requests === 0) return
  const { name, operation, text } = shapeOf(keyOf(method, path))
  span.attribute("db.operation.name", operation)
  span.attribute("db.query.text", text)
  span.attribute("db.query.summary", `${operation} ${name}`.trim())
  if (name !== "") span.attribute(operation === "CALL" ? "db.stored_procedure.name" : "db.collection.name", name)
}

/** W3C Trace Context; nothing where a tracer has ids of another form. */
const traceparentOf = ({ sampled, spanId, traceId }: Tracer.Span): string =>
  /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(spanId)
    ? `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
    : ""

/** What an operation does differently inside a span. */
export interface Tracing {
  /** Puts the span around the caller's own code only, so that the pool's log of who holds a connection names theirs. */
  readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Sent with each request; empty where it cannot be. */
  readonly traceparent: string
}

/** Around a whole operation, waiting and retries included. */
export const operation = <A, E, R>(
  mode: Mode,
  url: string,
  traced: Traced,
  run: (tracing: Tracing) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const origin = new URL(url)
  const attributes = {
    "db.system.name": "postgresql",
    "db.client.connection.pool.name": mode,
    "server.address": origin.hostname,
    "server.port": Number(origin.port || (origin.protocol === "https:" ? 443 : 80))
  }
  return Effect.useSpan(names[mode], { kind: "client", attributes }, (span) => {
    ours.add(span)
    const tracing: Tracing = {
      within: (effect) => Effect.withParentSpan(effect, span),
      traceparent: traceparentOf(span)
    }
    return Effect.onExit(run(tracing), (exit) =>
      Effect.sync(() => {
        described(span, traced)
        failed(span, exit)
      })
    )
  })
}
