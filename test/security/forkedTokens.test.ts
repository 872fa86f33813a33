/** What is forked, repeated or streamed under a token is asked with that token, and never with more rights. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import * as Db from "../../src/Db.js"

const Note = Schema.Struct({ id: Schema.String })

const plain = Db.table("notes", Note)
const served = Db.table("secrets", Note, { as: "service" })

const read = Db.read((client) => client.from("notes").select("id"))

type Work = Effect.Effect<unknown, unknown, Db.Db | Db.ReadDb>

/** Each of them is made and run under the token; what it forks may outlive it. */
const ways: Readonly<Record<string, Work>> = {
  "a fiber that is joined": Effect.flatMap(Effect.fork(read), Fiber.join),
  "a daemon": Effect.flatMap(Effect.forkDaemon(Effect.zipRight(Effect.yieldNow(), read)), Fiber.join),
  "a fiber of a fiber": Effect.flatMap(Effect.fork(Effect.flatMap(Effect.forkDaemon(read), Fiber.join)), Fiber.join),
  "many at once": Effect.forEach([1, 2, 3], () => read, { concurrency: "unbounded" }),
  "one that races": Effect.race(read, Effect.never),
  "one with a timeout": Effect.timeout(read, "10 seconds"),
  "a write that is repeated": Db.write((client) => client.from("notes").insert({ id: "a" }), { idempotent: true }),
  "a transaction": Db.transaction([(client) => client.from("notes").insert({ id: "a" })]),
  "a function": Db.rpc("now"),
  "a table": plain.list(),
  "a batch": Effect.all([plain.find("a"), plain.find("b")], { concurrency: "unbounded" }),
  "a stream": Stream.runDrain(plain.stream()),
  "a table that only a server reads": served.list(),
  "a row of such a table": served.find("a"),
  "a stream of such a table": Stream.runDrain(served.stream())
}

/** Tells the token of each request; the first is not answered. */
const failingOnce = () => {
  const asked: Array<string | null> = []
  const layer = Db.layerTest(
    (request) => {
      asked.push(request.headers.get("authorization"))
      return asked.length === 1 ? new Response("away", { status: 503 }) : Response.json([])
    },
    { retryDelay: 1, maxRetries: 3 }
  )
  return { asked, layer }
}

describe("under a token", () => {
  it.live.each(Object.entries(ways))("%s is asked with that token, repetitions included", ([, work]) =>
    Effect.gen(function* () {
      const { asked, layer } = failingOnce()
      yield* Effect.exit(work.pipe(Db.withAccessToken("ann"), Effect.provide(layer)))
      assert.isNotEmpty(asked)
      assert.deepStrictEqual([...new Set(asked)], ["Bearer ann"])
    })
  )

  it.live("a read is repeated, so that the token of a repetition was looked at", () =>
    Effect.gen(function* () {
      const { asked, layer } = failingOnce()
      yield* Effect.flatMap(Effect.forkDaemon(read), Fiber.join).pipe(Db.withAccessToken("ann"), Effect.provide(layer))
      assert.deepStrictEqual(asked, ["Bearer ann", "Bearer ann"])
    })
  )
})
