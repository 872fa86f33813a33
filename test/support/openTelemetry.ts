/**
 * An application with OpenTelemetry: the real SDK, its own context manager, and its instrumentation of undici. For a file
 * that has its process to itself, since all of it is registered for a whole process.
 */
import { context, propagation, type SpanContext, trace } from "@opentelemetry/api"
import { UndiciInstrumentation, type UndiciInstrumentationConfig } from "@opentelemetry/instrumentation-undici"
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor
} from "@opentelemetry/sdk-trace-node"

export interface Traced {
  /** What has ended so far, in that order. */
  readonly spans: () => ReadonlyArray<ReadableSpan>
  readonly forget: () => void
  readonly stop: () => void
}

export const traced = (config: UndiciInstrumentationConfig = {}): Traced => {
  const exporter = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  provider.register()
  const instrumentation = new UndiciInstrumentation(config)
  instrumentation.setTracerProvider(provider)
  return {
    spans: () => exporter.getFinishedSpans(),
    forget: () => exporter.reset(),
    stop: () => {
      instrumentation.disable()
      for (const api of [trace, context, propagation]) api.disable()
    }
  }
}

export const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId

export const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId

/** W3C Trace Context, as it is sent for this span. */
export const traceparentOf = ({ spanId, traceId }: SpanContext): string => `00-${traceId}-${spanId}-01`

/** Of a table, where it has been named; of the instrumentation, each request's. */
export const namesOf = (spans: ReadonlyArray<ReadableSpan>): ReadonlyArray<string> => spans.map(({ name }) => name)

/** As docs/observability.md tells an application to have it: the values of filters are in the query. */
export const withoutQuery: UndiciInstrumentationConfig = {
  startSpanHook: ({ origin, path }) => ({ "url.full": `${origin}${path.split("?")[0]}`, "url.query": "" })
}
