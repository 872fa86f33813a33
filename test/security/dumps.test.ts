/** However anything that the package hands out is printed, no key and no token is in it. */

import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { createDatabase } from "../../src/promise.js"
import * as RateLimit from "../../src/RateLimit.js"
import { as } from "../support/embedded.js"
import { json, layer, serve } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"
import { linesWithSecrets, secret, shown } from "../support/secrets.js"

const keys = { anonKey: secret("anon"), serviceRoleKey: secret("service") }
const token = secret("token")

const hides = (what: string, value: unknown): void => {
  expect(linesWithSecrets(shown(value)), what).toEqual([])
}

const hidesClient = (whose: string, client: SupabaseClient): void => {
  hides(`the client ${whose}`, client)
  for (const part of ["rest", "auth", "functions", "storage", "realtime"] as const)
    hides(`${part} ${whose}`, client[part])
  hides(`a query ${whose}`, client.from("a").select("*"))
  hides(`a query ${whose} in a schema`, client.schema("api").from("a").insert({}))
  hides(`a call ${whose}`, client.rpc("f", { a: 1 }))
  hides(`a bucket ${whose}`, client.storage.from("b"))
}

const notes = Db.table("notes", Schema.Struct({ id: Schema.String }))

describe("what is printed", () => {
  it("of a stock client shows its key, so these tests would see one", () => {
    expect(linesWithSecrets(shown(as.anon())).length).toBeGreaterThan(0)
    expect(linesWithSecrets(shown({ deep: { header: `Bearer ${token}` } })).length).toBeGreaterThan(0)
  })

  it.scopedLive("of a connection, its client and all parts of it shows no key and no token", (context) =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      yield* Effect.gen(function* () {
        for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) {
          hides("the pool", pool)
          yield* pool.use((connection) =>
            Effect.promise(async () => {
              hides("the connection", connection)
              hidesClient(`of ${connection.mode}`, connection.client)
              hides("an answer", await connection.client.from("a").select("*"))
              // supabase-js hands the token to its realtime client some turns after the client is made.
              hidesClient(`of ${connection.mode}, later`, connection.client)
            })
          )
        }
        const asUser = Db.read((client) => {
          hidesClient("of a user", client)
          return client.from("a").select("*")
        })
        yield* Db.withAccessToken(token)(asUser)
        yield* Db.withAccessToken(token)(asUser)
        yield* Db.read(
          (client) => {
            hidesClient("of the service", client)
            return client.from("a").select("*")
          },
          { as: "service" }
        )
      }).pipe(Effect.provide(layer(server.url, {}, keys)))
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "a connection, its client and every part of it, a query, a call, an answer: however it is printed (`inspect` with hidden fields, `String`, `JSON.stringify`), no key and no token"
      })
    })
  )

  it.scopedLive("of whatever hangs on a request under way shows no key and no token", (context) =>
    Effect.gen(function* () {
      const server = yield* serve(() => {})
      yield* Effect.gen(function* () {
        const pool = yield* Pool.WritePool
        const { seen } = server
        const asking = yield* Effect.fork(
          pool.use((connection) =>
            Effect.promise(async () => {
              const answer = connection.client
                .from("a")
                .insert({})
                .then((it) => it)
              while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
              hides("the connection", connection)
              hides("the answer that is waited for", answer)
              return answer
            })
          )
        )
        const batched = yield* Effect.fork(Db.withAccessToken(token)(notes.get("1")))
        yield* server.until(() => server.seen.length === 2)
        hides("the table", notes)
        hides("the fiber", batched)
        hides("the runtime", yield* Effect.runtime<Db.Provided>())
        hides("the context", (yield* Effect.context<Db.Provided>()).unsafeMap)
        yield* Fiber.interruptAll([asking, batched])
      }).pipe(Effect.provide(layer(server.url, {}, keys)))
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "while requests are under way: the connection, the table, the fiber, the runtime and all services of the context, printed so, have no key and no token"
      })
    })
  )

  it.scopedLive("of layers, configurations and databases shows no key and no token", () =>
    Effect.gen(function* () {
      const access = { url: "http://127.0.0.1:9", ...keys }
      const server = { adminToken: secret("admin"), slackWebhookUrl: `https://hooks.slack.invalid/${secret("hook")}` }
      const config = Config.SupabaseConfig.layerOf(access)
      hides("a layer", layer(access.url, {}, keys))
      hides("the layer of the access", config)
      hides("the access", yield* Effect.provide(Config.SupabaseConfig, config))
      hides("the server's options", yield* Effect.provide(Config.ServerConfig, Config.ServerConfig.layerOf(server)))
      for (const host of ["127.0.0.1:none", "127.0.0.1/%", "[::1"]) {
        const url = Redacted.make(`redis://user:${secret("password")}@${host}`)
        const limit = Layer.provide(RateLimit.layerRedis({ url }), Config.PoolConfig.layerOf({ rateLimit: 5 }))
        hides("a layer with a password", limit)
        hides("how it failed", yield* Effect.exit(Effect.scoped(Layer.build(limit))))
      }
      hides("a database", createDatabase({ ...access, minConnections: 0 }))
      hides("an effect with a token", Db.withAccessToken(token)(notes.get("1")))
      hides("an effect with a redacted token", Db.withAccessToken(Redacted.make(token))(notes.get("1")))
    })
  )
})
