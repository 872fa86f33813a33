/** The delay before a retry, and a database that is back before it is over. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import { json, layer, serve } from "../support/httpServer.js"
import { make } from "../support/tcpProxy.js"

const read = Db.read((client) => client.from("products").select("id"))

describe("an operation that could not connect", () => {
  it.scopedLive("is tried again as soon as connecting works again, however long its delay is", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      const proxy = yield* make(server.port)
      yield* Effect.gen(function* () {
        yield* read
        proxy.fault = { kind: "resetOnAccept" }
        proxy.cut()
        // Its delay is twice as long as the test waits.
        const asked = yield* Effect.fork(read)
        const { metrics } = yield* Pool.ReadPool
        yield* Effect.repeat(metrics, { until: ({ reachable }) => !reachable, schedule: Schedule.spaced("5 millis") })
        proxy.fault = { kind: "none" }
        expect(yield* Effect.timeout(Fiber.join(asked), "10 seconds")).toEqual([{ id: 1 }])
      }).pipe(Effect.provide(layer(proxy.url, { maxRetries: 1, retryDelay: "20 seconds" })))
    })
  )
})
