/**
 * Metrics and traces to OpenTelemetry. The exporter knows nothing of the pool: it takes what is in Effect's metric
 * registry and the spans that Effect makes. In place of a collector a server in this process receives the export and
 * says what came; with a real one, set OTEL_EXPORTER_OTLP_ENDPOINT (`http://localhost:4318`).
 *
 *     npx tsx examples/opentelemetry/main.ts
 */
import { createServer } from "node:http"
import * as Otlp from "@effect/opentelemetry/Otlp"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Ref, Schema } from "effect"
import { Db, Config as PoolConfig } from "effect-supabase-pool"
import { Embedded } from "effect-supabase-pool/embedded"

const cheapest = Db.read((client) =>
  client.from("products").select("title, price").lt("price", 100).order("price").limit(3)
).pipe(Effect.withSpan("GET /cheapest"))

const shops = Db.read((client) => client.from("shops").select("name")).pipe(Effect.withSpan("GET /shops"))

const work = Effect.gen(function* () {
  yield* Effect.all(Array.from({ length: 20 }, () => [cheapest, shops]).flat(), { concurrency: 10 })
  yield* Console.log("40 requests served")
})

const DbLive = Db.layer.pipe(Layer.provide([Embedded.layer, PoolConfig.PoolConfig.layer]))

/** All that an application adds. It closes after the pools, and sends what is left when it does. */
const exporter = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "shop" } }).pipe(Layer.provide(FetchHttpClient.layer))

/** As much of OTLP's JSON as is shown. */
const Export = Schema.Struct({
  resourceMetrics: Schema.optional(
    Schema.Array(
      Schema.Struct({
        scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Schema.Struct({ name: Schema.String })) }))
      })
    )
  ),
  resourceSpans: Schema.optional(
    Schema.Array(
      Schema.Struct({
        scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Schema.Struct({ name: Schema.String })) }))
      })
    )
  )
})

const namesIn = ({ resourceMetrics = [], resourceSpans = [] }: typeof Export.Type): ReadonlyArray<string> => [
  ...resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics)).map((_) => _.name),
  ...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)).map((_) => `span ${_.name}`)
]

/** What a collector would have got. */
const receiver = Effect.gen(function* () {
  const received = yield* Ref.make<ReadonlySet<string>>(new Set())
  const take = Effect.gen(function* () {
    const names = namesIn(yield* HttpServerRequest.schemaBodyJson(Export))
    yield* Ref.update(received, (before) => new Set([...before, ...names]))
    return HttpServerResponse.unsafeJson({})
  })
  yield* HttpServer.serveEffect(HttpRouter.empty.pipe(HttpRouter.post("/v1/:signal", take)))
  return { received, url: yield* HttpServer.addressFormattedWith(Effect.succeed) }
})

const main = Effect.gen(function* () {
  const { received, url } = yield* receiver
  const endpoint = yield* Config.option(Config.string("OTEL_EXPORTER_OTLP_ENDPOINT"))
  const telemetry = exporter(Option.getOrElse(endpoint, () => url))
  yield* work.pipe(Effect.provide(Layer.provideMerge(DbLive, telemetry)))
  const names = [...(yield* Ref.get(received))].filter((name) => /^(db|supabase|span)/.test(name)).sort()
  if (names.length > 0) yield* Console.log(`received:\n  ${names.join("\n  ")}`)
})

main.pipe(
  Effect.scoped,
  Effect.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  NodeRuntime.runMain
)
