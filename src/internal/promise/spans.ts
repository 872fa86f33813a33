/**
 * A span for each operation, by the application's OpenTelemetry: of whoever calls inside of a span, and of nobody else, as
 * with Effect. The operation's own code knows Effect's tracer only; this one writes down what that is told.
 */
import { Cause, Context, Effect, Option, Tracer } from "effect"
import { type AsyncContext, contextOfSpan, AsyncContext as Entered } from "../shared/asyncContext.js"
import { contextManager, type OtelContext, registered } from "../shared/openTelemetry.js"

const spanKey = Symbol.for("OpenTelemetry Context Key SPAN")

/** `SpanKind.CLIENT` and `SpanStatusCode.ERROR`. */
const client = 2
const failed = 2

interface SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

interface OtelSpan {
  readonly spanContext: () => SpanContext
  readonly setAttribute: (name: string, value: unknown) => unknown
  readonly setStatus: (status: { readonly code: number; readonly message?: string }) => unknown
  readonly updateName: (name: string) => unknown
  readonly end: () => void
}

interface OtelTracer {
  readonly startSpan: (name: string, options: { readonly kind: number }, context: OtelContext) => OtelSpan
}

interface Provider {
  readonly getTracer: (name: string) => OtelTracer
}

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

const isSpan = (u: unknown): u is OtelSpan => isObject(u) && "spanContext" in u && typeof u.spanContext === "function"

const isProvider = (u: unknown): u is Provider => isObject(u) && "getTracer" in u && typeof u.getTracer === "function"

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & 1) === 1

/** The names of operations of which nothing is known before they are sent. */
const general: ReadonlySet<string> = new Set(["Db.read", "Db.write"])

class Span implements Tracer.Span {
  readonly _tag = "Span"
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  readonly attributes: Map<string, unknown> = new Map()
  readonly links: ReadonlyArray<Tracer.SpanLink> = []
  readonly kind = "client"
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  status: Tracer.SpanStatus
  private readonly otel: OtelSpan

  constructor(
    otel: OtelSpan,
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    startTime: bigint
  ) {
    const ids = otel.spanContext()
    this.otel = otel
    this.name = name
    this.parent = parent
    this.context = context
    this.spanId = ids.spanId
    this.traceId = ids.traceId
    this.sampled = isSampled(ids)
    this.status = { _tag: "Started", startTime }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.otel.setAttribute(key, value)
    if (key === "db.query.summary" && general.has(this.name)) this.otel.updateName(String(value))
  }

  end(endTime: bigint, exit: Parameters<Tracer.Span["end"]>[1]): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    if (exit._tag === "Failure" && !Cause.isInterruptedOnly(exit.cause)) {
      const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
      // What a caller's own code throws may have values in it.
      this.otel.setStatus({ code: failed, ...(error instanceof Error ? { message: error.message } : {}) })
    }
    this.otel.end()
  }

  event(): void {}

  addLinks(): void {}
}

/** Runs an operation as one of the span that its caller is in. */
export type Spanned = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Undefined where the caller is in no span, or the application has no OpenTelemetry. */
export const spannedIn = (caller: AsyncContext): Spanned | undefined => {
  const provider = registered("trace")
  const manager = contextManager()
  if (manager === undefined || !isProvider(provider)) return undefined
  const active = caller.run(() => manager.active())
  const outer = active.getValue(spanKey)
  if (!isSpan(outer)) return undefined
  const tracer = Tracer.make({
    span: (name, parent, context, _links, startTime) => {
      const otel = provider.getTracer("effect-supabase-pool").startSpan(name, { kind: client }, active)
      const span = new Span(otel, name, parent, context, startTime)
      const within = active.setValue(spanKey, otel)
      contextOfSpan.set(
        span,
        caller.run(() => manager.with(within, () => new Entered()))
      )
      return span
    },
    context: (f) => f()
  })
  const ids = outer.spanContext()
  const parent = Tracer.externalSpan({ ...ids, sampled: isSampled(ids), context: Context.empty() })
  return (effect) => Effect.withTracer(Effect.withParentSpan(effect, parent), tracer)
}
