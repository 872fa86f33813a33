/**
 * Spans of operations, described as OpenTelemetry's conventions for database clients say, and the header that makes
 * PostgREST's own spans their children.
 *
 * Only where the caller is inside a span: an operation alone makes none, and costs nothing for it.
 */
import { Cause, Effect, Exit, FiberRef, Option, type Tracer } from "effect"
import { type DbError, isDbError, type Mode } from "../../Errors.js"
import type { Unsent } from "../metrics/queries.js"
import { keyOf, shapeOf } from "../metrics/shape.js"
import { caller, contextOfSpan } from "../shared/asyncContext.js"

const names: Readonly<Record<Mode, string>> = { read: "Db.read", write: "Db.write" }

/** What is known of an operation before it is sent, and so when its span gets its name. */
export interface Subject {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** What it is counted as where nothing could be sent. */
  readonly unsent: Unsent
}

export const subject: FiberRef.FiberRef<Subject | undefined> = FiberRef.unsafeMake<Subject | undefined>(undefined)

const about = <A, E, R>(what: Subject, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    fiber.getFiberRef(subject) === undefined ? Effect.locally(effect, subject, what) : effect
  )

type SqlVerb = "SELECT" | "INSERT" | "UPDATE" | "UPSERT" | "DELETE"

/** `SELECT products`: the summary of the query, as the conventions have it. */
export const ofTable = <A, E, R>(
  operation: SqlVerb,
  table: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const name = `${operation} ${table}`
  const attributes = { "db.operation.name": operation, "db.collection.name": table, "db.query.summary": name }
  return about({ name, attributes, unsent: () => ({ operation, name: table }) }, effect)
}

export const ofFunction = <A, E, R>(f: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const operation = "CALL"
  const name = `${operation} ${f}`
  const attributes = { "db.operation.name": operation, "db.stored_procedure.name": f, "db.query.summary": name }
  return about({ name, attributes, unsent: () => ({ operation, name: f }) }, effect)
}

export const ofTransaction = <A, E, R>(steps: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  // One step is no batch.
  about(
    {
      name: "Db.transaction",
      attributes: steps > 1 ? { "db.operation.batch.size": steps } : {},
      unsent: () => ({ operation: "CALL", name: "supabase_pool_transaction" })
    },
    effect
  )

const ours = new WeakSet<Tracer.AnySpan>()

const rowsIn = (data: unknown): number => {
  if (Array.isArray(data)) return data.length
  return data === null || data === undefined ? 0 : 1
}

/** Says how many rows came, if the span is an operation's. */
export const returned = (span: Tracer.AnySpan | undefined, data: unknown): void => returnedRows(span, rowsIn(data))

export const returnedRows = (span: Tracer.AnySpan | undefined, rows: number): void => {
  if (span?._tag === "Span" && ours.has(span)) span.attribute("db.response.returned_rows", rows)
}

/** The SQLSTATE or PostgREST's code, else the status; empty where the database said nothing. */
const statusCodeOf = (error: DbError): string => {
  if (error._tag !== "QueryError") return ""
  return error.code === "" ? String(error.status) : error.code
}

const failed = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (exit._tag === "Success") return
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (!isDbError(error)) return
  span.attribute("error.type", error._tag)
  if (error._tag === "QueryError") span.attribute("db.response.status_code", statusCodeOf(error))
}

/** What a tracer is told of a failure, which it writes down as an exception. */
class Failed extends Error {
  override readonly name: string

  constructor(error: DbError) {
    super(`${error._tag} ${statusCodeOf(error)}`.trim())
    this.name = error._tag
  }
}

/** The database's words have values of rows and filters in them (`Key (email)=(ann@example.com) already exists`). */
const withoutWords = <A>(exit: Exit.Exit<A, unknown>): Exit.Exit<A, unknown> =>
  Exit.mapError(exit, (error) => (isDbError(error) ? new Failed(error) : error))

/** Whoever ends it. */
const endWithoutWords = (span: Tracer.Span): void => {
  const end = span.end.bind(span)
  span.end = (time, exit) => end(time, withoutWords(exit))
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

/** W3C Trace Context; nothing where a tracer has ids of another form, or none (zeros: it was told to trace nothing). */
const traceparentOf = ({ sampled, spanId, traceId }: Tracer.Span): string =>
  /^(?!0+$)[0-9a-f]{32}$/.test(traceId) && /^(?!0+$)[0-9a-f]{16}$/.test(spanId)
    ? `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
    : ""

/** What an operation does differently inside a span. */
export interface Tracing {
  /** Puts the span around the caller's own code only, so that the pool's log of who holds a connection names theirs. */
  readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Sent with each request; empty where it cannot be. */
  readonly traceparent: string
}

const inContextOf = <A, E, R>(span: Tracer.Span, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const context = contextOfSpan.get(span)
  return context === undefined ? effect : Effect.locally(effect, caller, context)
}

/** Around a whole operation, waiting and retries included. */
export const operation = <A, E, R>(
  mode: Mode,
  url: string,
  traced: Traced,
  about: Subject | undefined,
  run: (tracing: Tracing) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const origin = new URL(url)
  const attributes = {
    "db.system.name": "postgresql",
    "db.client.connection.pool.name": mode,
    "server.address": origin.hostname,
    "server.port": Number(origin.port || (origin.protocol === "https:" ? 443 : 80)),
    ...about?.attributes
  }
  return Effect.useSpan(about?.name ?? names[mode], { kind: "client", attributes }, (span) => {
    ours.add(span)
    endWithoutWords(span)
    const tracing: Tracing = {
      within: (effect) => inContextOf(span, Effect.withParentSpan(effect, span)),
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
