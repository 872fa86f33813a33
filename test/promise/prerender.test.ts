/**
 * Next.js with `cacheComponents` refuses a page that asks for the time, or for a random number, while it is prerendered. It
 * knows by the page's async context who asks; here a store stands for that.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { createDatabase, type PrivateDatabase } from "../../src/promise.js"
import { anonKey, json, serve, serviceRoleKey } from "../support/httpServer.js"

const prerender = new AsyncLocalStorage<true>()

/** What is asked for within a prerender, and where. */
const watched = Effect.acquireRelease(
  Effect.sync(() => {
    const asked: Array<string> = []
    const { now } = Date
    const { random } = Math
    const tell = (what: string) => {
      if (prerender.getStore() === true) asked.push(`${what}\n${new Error().stack}`)
    }
    Date.now = () => {
      tell("Date.now()")
      return now()
    }
    Math.random = () => {
      tell("Math.random()")
      return random()
    }
    return { asked, restore: () => Object.assign(Date, { now }) && Object.assign(Math, { random }) }
  }),
  ({ restore }) => Effect.sync(restore)
)

type Use = (database: PrivateDatabase) => Promise<unknown>

const uses: Readonly<Record<string, Use>> = {
  executeWithPool: ({ executeWithPool }) => executeWithPool((client) => client.from("products").select("id")),
  "db.products.list": ({ db }) => db.products.list(),
  "db.products.search": ({ db }) => db.products.search({ query: "laptop" }),
  getConnection: async ({ getConnectionPool }) => {
    const pool = getConnectionPool()
    pool.releaseConnection(await pool.getConnection("read"))
  },
  "db.transaction": ({ db }) => db.transaction([(client) => client.from("products").select("id")]).catch(() => {}),
  getMetrics: async ({ executeWithPool, getConnectionPool }) => {
    await executeWithPool((client) => client.from("products").select("id"))
    getConnectionPool().getMetrics()
  },
  checkDatabaseHealth: ({ checkDatabaseHealth }) => checkDatabaseHealth()
}

describe("in a prerender of Next.js", () => {
  for (const [name, use] of Object.entries(uses)) {
    for (const isWarm of [false, true]) {
      it.scopedLive(`${name} of pools that are ${isWarm ? "up" : "not up yet"} asks for neither time nor chance`, () =>
        Effect.gen(function* () {
          const { url } = yield* serve((response) => json(response, []))
          const database = yield* Effect.acquireRelease(
            Effect.sync(() =>
              createDatabase({
                url,
                anonKey,
                serviceRoleKey,
                enableHealthChecks: false
              })
            ),
            ({ close }) => Effect.promise(close)
          )
          if (isWarm) yield* Effect.promise(() => use(database))
          const { asked } = yield* watched
          yield* Effect.promise(() => prerender.run(true, () => use(database)))
          expect(asked).toEqual([])
        })
      )
    }
  }
})
