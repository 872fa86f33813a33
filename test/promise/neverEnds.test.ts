/** A caller's function that never ends, or starts what outlives it: its caller is told when the connection is gone. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { createDatabase } from "../../src/promise.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"

const options = { anonKey, serviceRoleKey, minConnections: 1, maxConnections: 2, enableHealthChecks: false }

const never = (): Promise<never> => new Promise(() => {})

describe("executeWithPool of a function that never ends", () => {
  for (const isWarm of [false, true]) {
    const when = isWarm ? "that was at hand" : "that was opened for it"
    it.scopedLive(`rejects with ConnectionReclaimed when its connection ${when} is taken back`, () =>
      Effect.gen(function* () {
        const { url } = yield* serve((response) => json(response, []))
        const database = createDatabase({ ...options, url, leakDetectionTimeout: 400 })
        if (isWarm) yield* Effect.promise(() => database.executeWithPool((client) => client.from("a").select("*")))
        const reclaimed = { _tag: "ConnectionReclaimed", mayHaveExecuted: false }
        yield* Effect.promise(() => expect(database.executeWithPool(never)).rejects.toMatchObject(reclaimed))
        // The place is free again.
        const { error } = yield* Effect.promise(() =>
          database.executeWithPool((client) => client.from("a").select("*"))
        )
        expect(error).toBeNull()
        expect(database.getConnectionPool().getMetrics().activeConnections).toBe(0)
        yield* Effect.promise(() => database.close())
      })
    )

    it.scopedLive(`rejects with PoolClosed when the pool closes, its connection one ${when}`, () =>
      Effect.gen(function* () {
        const { url } = yield* serve((response) => json(response, []))
        const database = createDatabase({ ...options, url, shutdownTimeout: 20 })
        if (isWarm) yield* Effect.promise(() => database.executeWithPool((client) => client.from("a").select("*")))
        const started = new Promise<void>((resolve) => {
          database
            .executeWithPool(() => {
              resolve()
              return never()
            })
            .then(undefined, (error: unknown) => ended.push(error))
        })
        const ended: Array<unknown> = []
        yield* Effect.promise(() => started)
        yield* Effect.promise(() => database.close())
        expect(ended).toMatchObject([{ _tag: "PoolClosed" }])
      })
    )
  }
})
