/** A server of one's own: an HttpApi whose endpoints fail with statuses, its bearer, and our routes among its own. */
import { createServer } from "node:http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpLayerRouter,
  HttpServer,
  HttpServerResponse,
  OpenApi
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"

const Order = Schema.Struct({ id: Schema.Number })
const orders = Db.table("orders", Order)

class Api extends HttpApi.make("orders").add(
  HttpApiGroup.make("orders")
    .add(HttpApiEndpoint.get("mine", "/orders").addSuccess(Schema.Array(Order)).addError(Http.Failed))
    .middleware(Http.Bearer)
) {}

const handlers = HttpApiBuilder.group(Api, "orders", (group) =>
  group.handle("mine", () => orders.list().pipe(Http.asBearer, Effect.catchAll(Http.fail)))
)

const served = (handler: Db.Handler) =>
  HttpApiBuilder.serve().pipe(
    Layer.provide(Layer.provide(HttpApiBuilder.api(Api), handlers)),
    Layer.provide(Http.Bearer.layer),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provide(Db.layerTest(handler, { minConnections: 1, maxRetries: 0 }))
  )

const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  HttpServer.addressFormattedWith((address) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${address}${path}`, { signal, headers, method })
      const { headers: answered, status } = response
      return { status, headers: answered, text: await response.text() }
    })
  )

const refusing = (status: number, code: string) => () =>
  Response.json({ code, message: "secret words", details: "a row", hint: null }, { status })

const asAnn = { authorization: "Bearer ann" }

describe("an endpoint of an HttpApi", () => {
  for (const [status, tag, handler] of [
    [403, "Forbidden", refusing(403, "42501")],
    [409, "Conflict", refusing(409, "23505")],
    [400, "BadRequest", refusing(400, "22P02")],
    [401, "Unauthorized", refusing(401, "PGRST301")],
    [503, "Unavailable", refusing(503, "PGRST000")],
    [500, "ServerFailed", refusing(404, "PGRST205")],
    [500, "ServerFailed", () => Response.json([{ id: "x" }])]
  ] as const) {
    it.scopedLive(`answers ${status} with ${tag}, in words without the database's`, () =>
      Effect.gen(function* () {
        const { headers, status: answered, text } = yield* ask("/orders", asAnn)
        expect(answered).toBe(status)
        expect(JSON.parse(text)).toMatchObject({ _tag: tag })
        expect(text).not.toMatch(/secret words|a row/)
        expect(headers.get("retry-after")).toBe(status === 503 ? "1" : null)
        expect(headers.get("www-authenticate")).toBe(status === 401 ? 'Bearer error="invalid_token"' : null)
      }).pipe(Effect.provide(served(handler)))
    )
  }

  it.scopedLive("is asked as its bearer, and without one not at all", () => {
    const tokens: Array<string | null> = []
    const database = served((request) => {
      tokens.push(request.headers.get("authorization"))
      return Response.json([{ id: 1 }])
    })
    return Effect.gen(function* () {
      expect((yield* ask("/orders", asAnn)).text).toBe('[{"id":1}]')
      for (const authorization of ["", "Basic YW5uOmFubg==", "Bearer"]) {
        const { headers, status, text } = yield* ask("/orders", { authorization })
        expect([status, headers.get("www-authenticate")]).toEqual([401, "Bearer"])
        expect(JSON.parse(text)).toEqual({ _tag: "Unauthorized", error: "The access token is missing." })
      }
      expect(tokens).toEqual(["Bearer ann"])
    }).pipe(Effect.provide(database))
  })

  it.effect("has an error of one's own beside them, as it is, in type and in fact", () =>
    Effect.gen(function* () {
      class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
      const bought = Effect.flatMap(orders.list(), ([first]) =>
        first === undefined ? Effect.fail(new SoldOut({ left: 0 })) : Effect.succeed(first)
      )
      const piped = bought.pipe(Effect.catchAll(Http.fail))
      const called = Effect.catchAll(bought, (error) => Http.fail(error))
      type Expected = Effect.Effect<{ readonly id: number }, SoldOut | Http.Failed, Db.ReadDb>
      expectTypeOf(piped).toEqualTypeOf<Expected>()
      expectTypeOf(called).toEqualTypeOf<Expected>()
      expectTypeOf(orders.list().pipe(Effect.catchAll(Http.fail))).toEqualTypeOf<
        Effect.Effect<ReadonlyArray<{ readonly id: number }>, Http.Failed, Db.ReadDb>
      >()
      const world = (handler: Db.Handler) => Effect.provide(Db.layerTest(handler, { minConnections: 1, maxRetries: 0 }))
      for (const failing of [piped, called]) {
        const own = yield* Effect.flip(failing).pipe(world(() => Response.json([])))
        expect(own).toEqual(new SoldOut({ left: 0 }))
        const theirs = yield* Effect.flip(failing).pipe(world(refusing(503, "PGRST000")))
        expect(theirs._tag).toBe("Unavailable")
      }
    })
  )

  it("has its errors in the client and in the description", () => {
    const client = HttpApiClient.make(Api)
    type Client = Effect.Effect.Success<typeof client>
    type Failure = Effect.Effect.Error<ReturnType<Client["orders"]["mine"]>>
    expectTypeOf<Extract<Failure, { readonly _tag: "NotFound" }>>().toEqualTypeOf<Http.NotFound>()
    expectTypeOf<Http.Failed>().toEqualTypeOf<typeof Http.Failed.Type>()
    const statuses = Object.keys(OpenApi.fromApi(Api).paths["/orders"]?.get?.responses ?? {})
    expect(statuses).toEqual(expect.arrayContaining(["401", "404", "409", "429", "503"]))
  })
})

const page = (path: `/${string}`) => HttpLayerRouter.add("GET", path, HttpServerResponse.text("mine"))

const mounted = <R>(routes: Layer.Layer<never, never, R>) =>
  HttpLayerRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Health.layer),
    Layer.provide(Http.Readiness.layer),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provide(
      Layer.provideMerge(
        Db.layerTest(() => Response.json([]), { minConnections: 1 }),
        Layer.merge(
          Config.ServerConfig.layerOf({}),
          Config.layerOf({ url: "http://127.0.0.1:9", anonKey: "a-never-printed", serviceRoleKey: "b-never-printed" })
        )
      )
    )
  )

describe("Http.routesOf", () => {
  it.scopedLive("mounts the parts that it is told, and leaves the other paths to the server", () =>
    Effect.gen(function* () {
      expect((yield* ask("/api/health/live")).status).toBe(200)
      expect((yield* ask("/docs")).text).toBe("mine")
      expect((yield* ask("/metrics")).status).toBe(404)
      expect((yield* ask("/")).status).toBe(404)
    }).pipe(Effect.provide(mounted(Layer.merge(page("/docs"), Http.routesOf({ parts: ["health"] })))))
  )

  it.scopedLive("mounts them under a prefix", () =>
    Effect.gen(function* () {
      expect((yield* ask("/internal/api/health/live")).status).toBe(200)
      expect((yield* ask("/internal/metrics")).status).toBe(200)
      expect((yield* ask("/internal/api/admin/database/metrics")).status).toBe(404)
      expect((yield* ask("/api/health/live")).status).toBe(404)
      expect((yield* ask("/docs")).text).toBe("mine")
    }).pipe(Effect.provide(mounted(Layer.merge(page("/docs"), Http.routesOf({ prefix: "/internal" })))))
  )

  for (const path of ["/docs", "/openapi.json", "/", "/metrics"] as const) {
    it.scopedLive(`refuses to start where ${path} is another route's, and names both`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Layer.build(mounted(Layer.provideMerge(Http.routes, page(path)))))
        const words = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it started"
        expect(words).toContain("Http.routes: ")
        expect(words).toContain(`a route of yours, ${path}, have the same path`)
      })
    )
  }

  it.scopedLive("refuses a prefix that is none, by name", () =>
    Effect.gen(function* () {
      for (const prefix of ["/", "/a/", "/:id"] as const) {
        const exit = yield* Effect.exit(Layer.build(mounted(Http.routesOf({ prefix }))))
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(`the prefix "${prefix}" is not valid`)
      }
      // @ts-expect-error: a page stands under no prefix.
      const pages = Http.routesOf({ prefix: "/a", parts: ["dashboard"] })
      expect(Layer.isLayer(pages)).toBe(true)
    })
  )
})
