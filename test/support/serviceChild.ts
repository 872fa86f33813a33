/**
 * A service as users write it, in a process of its own: `POST /note/:key` puts one row into the database, `POST
 * /notes/:key` two or none, `POST /crash` makes an error that nobody handles. Prints its port. Its database is in the
 * environment.
 */
import { createServer } from "node:http"
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Http from "../../src/Http.js"

type Client = Parameters<Parameters<typeof Db.write>[0]>[0]

const insert = (body: string) => (client: Client) => client.from("notes").insert({ body })

const route = <A>(path: `/${string}`, write: (key: string) => Effect.Effect<A, Db.DbError, Db.Db>) =>
  HttpLayerRouter.add(
    "POST",
    path,
    HttpLayerRouter.schemaPathParams(Schema.Struct({ key: Schema.String })).pipe(
      Effect.flatMap(({ key }) => write(key)),
      Effect.as(HttpServerResponse.empty({ status: 201 })),
      Effect.catchAll((error) => HttpServerResponse.text(String(error), { status: 500 }))
    )
  )

const note = route("/note/:key", (key) => Db.write(insert(key)))

const notes = route("/notes/:key", (key) => Db.transaction([insert(`${key} first`), insert(`${key} second`)]))

const crash = HttpLayerRouter.add(
  "POST",
  "/crash",
  Effect.sync(() => {
    setImmediate(() => {
      throw new Error("a bug in the service")
    })
    return HttpServerResponse.empty()
  })
)

const ready = Layer.effectDiscard(
  Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
    Console.log(address._tag === "TcpAddress" ? address.port : address.path)
  )
)

HttpLayerRouter.serve(Layer.mergeAll(note, notes, crash, Http.routes), { disableListenLog: true }).pipe(
  Layer.merge(ready),
  Layer.provide(Layer.merge(Health.layer, Http.Readiness.layer)),
  Layer.provide(NodeHttpServer.layer(() => Http.graceful(createServer()), { port: 0, host: "127.0.0.1" })),
  // The server ends before the pools do, or who waits for a connection is told that they are closed.
  Layer.provide(Db.layer),
  Layer.provide(Config.layer),
  Layer.launch,
  NodeRuntime.runMain
)
