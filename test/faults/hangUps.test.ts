/** Servers that close connections: with each answer, after it without a word, and when they were idle. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, TestClock } from "effect"
import * as Db from "../../src/Db.js"
import { checkout, type FakeWorld, make, settle } from "../support/fakeResource.js"
import { type Answer, json, layer, serve, type TestServer } from "../support/httpServer.js"

const read = Db.read((client) => client.from("products").select("id"))

/** What was said, and how twenty loops of thirty reads fared. */
const loops = (how: (server: () => TestServer) => Answer) =>
  Effect.scoped(
    Effect.gen(function* () {
      let found: TestServer | undefined
      const one = (): TestServer => {
        if (found === undefined) throw new Error("not yet")
        return found
      }
      const server = yield* serve((...given) => how(one)(...given))
      found = server
      const said: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void said.push(String(message)))
      )
      const many = Effect.forEach(Array.from({ length: 20 }), () => Effect.repeatN(read, 29), {
        concurrency: "unbounded",
        discard: true
      })
      yield* Effect.provide(many, Layer.provideMerge(layer(server.url, { maxConnections: 40, maxRetries: 3 }), logger))
      return { server, said: said.filter((line) => line.includes("closes each connection")) }
    })
  )

describe("a server that closes after each answer", () => {
  it.live("and says so: each read has a connection of its own, none fails, and the log says it once", () =>
    Effect.gen(function* () {
      const { said, server } = yield* loops(() => (response) => json(response, [], 200, { connection: "close" }))
      expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(600)
      expect(said).toHaveLength(1)
    })
  )

  it.live("and does not say so: after a few no connection is used a second time, and no read fails", () =>
    Effect.gen(function* () {
      const { said, server } = yield* loops((one) => (response, { socket }) => {
        response.on("finish", () => one().sockets.get(socket)?.end())
        json(response, [])
      })
      expect(server.seen.length).toBeGreaterThanOrEqual(600)
      expect(server.seen.length).toBeLessThan(640)
      expect(said).toHaveLength(1)
    })
  )

  it.scoped("one at a time is left to it, so that the pool sees when it has stopped doing so", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ max: 3 })
      const once = (closes: boolean) =>
        Effect.gen(function* () {
          const lease = yield* checkout(pool)
          yield* pool.giveBack(lease)
          if (closes) yield* world.hangUp(lease.resource)
          yield* settle
          return lease.resource
        })
      for (let n = 0; n < 3; n += 1) yield* once(true)
      expect(pool.habits.closesEach).toBe(true)
      const watched = yield* once(false)
      expect([(yield* once(false)).isOpen, watched.isOpen]).toEqual([false, true])
      yield* TestClock.adjust("1 second")
      expect(pool.habits.closesEach).toBe(false)
      expect([yield* once(false), yield* once(false)]).toEqual([watched, watched])
    })
  )
})

describe("a server that closes idle connections", () => {
  /** Closes what was silent for so long, as a server does. */
  const closingAfter = (world: FakeWorld, silence: number, seconds: number) =>
    Effect.gen(function* () {
      const since = new Map<object, readonly [pings: number, at: number]>()
      let closed = 0
      for (let now = 0; now < seconds * 1_000; now += 100) {
        for (const resource of world.made) {
          const [pings, at] = since.get(resource) ?? [-1, now]
          if (!resource.isOpen || pings === resource.pings) {
            if (!resource.isOpen || now - at < silence) continue
            closed += 1
            yield* world.hangUp(resource)
            continue
          }
          since.set(resource, [resource.pings, now])
        }
        yield* TestClock.adjust("100 millis")
      }
      return closed
    })

  it.scoped("without a word after 10 s: seen twice, and from then on they are pinged before", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 2, max: 2, housekeeper: true, keepaliveInterval: 25_000 })
      expect(yield* closingAfter(world, 10_000, 60)).toBe(4)
      expect(pool.habits.kept).toBeGreaterThan(9_000)
      expect(pool.habits.kept).toBeLessThan(11_000)
      const { made } = world
      const before = made.reduce((sum, { pings }) => sum + pings, 0)
      expect(yield* closingAfter(world, 10_000, 70)).toBe(0)
      // Two connections for 70 s, each 7 to 8 s.
      expect(made.reduce((sum, { pings }) => sum + pings, 0) - before).toBeLessThanOrEqual(20)
    })
  )

  it.scoped("because it ends, at any time of their silence: nothing is learnt", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 2, max: 2, housekeeper: true, keepaliveInterval: 25_000 })
      for (const silence of [3, 17, 9]) {
        yield* TestClock.adjust(`${silence} seconds`)
        for (const resource of world.made) yield* world.hangUp(resource)
      }
      expect(pool.habits.kept).toBe(Number.POSITIVE_INFINITY)
    })
  )

  it.scoped("after 2 s, as it says: only those that are used are kept, and no others are opened", () =>
    Effect.gen(function* () {
      const { pool, world } = yield* make({ min: 5, max: 10, housekeeper: true, keepaliveInterval: 25_000 })
      expect(pool.total).toBe(5)
      for (const resource of world.made) resource.keepAliveHint = 1_000
      for (let n = 0; n < 60; n += 1) {
        const lease = yield* checkout(pool)
        yield* pool.giveBack(lease)
        yield* TestClock.adjust("500 millis")
      }
      expect([pool.total, world.attempts]).toEqual([1, 5])
      yield* TestClock.adjust("1 minute")
      expect([pool.total, world.attempts]).toEqual([1, 5])
    })
  )
})
