/**
 * Spans of operations, named and described as OpenTelemetry's conventions for database clients say.
 *
 * Only where the caller is inside a span: an operation alone makes none, and costs nothing for it.
 */
import { Cause, Effect, type Exit, Option, type Tracer } from "effect"
import { isDbError, type Mode } from "../Errors.js"
import { askedOf } from "./asked.js"

const names: Readonly<Record<Mode, string>> = { read: "Db.read", write: "Db.write" }

const ours = new WeakSet<Tracer.AnySpan>()

/** Says what a builder does, if the span it runs in is an operation's. */
export const describe = (span: Tracer.AnySpan | undefined, query: unknown): void => {
  if (span?._tag !== "Span" || !ours.has(span)) return
  const asked = askedOf(query)
  if (asked === undefined) return
  span.attribute("db.operation.name", asked.operation)
  if (asked.name === "") return
  span.attribute(asked.operation === "CALL" ? "db.stored_procedure.name" : "db.collection.name", asked.name)
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
}

/**
 * Around a whole operation, waiting and retries included. `within` puts the span around the caller's own code only, so
 * that the pool's log of who holds a connection names the caller's span and not this one.
 */
export const operation = <A, E, R>(
  mode: Mode,
  url: string,
  traced: Traced,
  run: (within: <B, F, S>(effect: Effect.Effect<B, F, S>) => Effect.Effect<B, F, S>) => Effect.Effect<A, E, R>
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
    return Effect.onExit(
      run((effect) => Effect.withParentSpan(effect, span)),
      (exit) =>
        Effect.sync(() => {
          if (traced.connectionId !== "") span.attribute("supabase.connection.id", traced.connectionId)
          if (traced.retries > 0) span.attribute("http.request.resend_count", traced.retries)
          failed(span, exit)
        })
    )
  })
}
