/** An event loop that one caller blocks for longer than a second, turn after turn, while the database restarts. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Db from "../../src/Db.js"
import { layer } from "../support/httpServer.js"
import { eachShows, withSuite } from "../support/reliability.js"

eachShows("Outage", withSuite)

const read = Db.read((client) => client.from("products").select("id"))

/** In a process of its own, which is not busy. */
const script = `
const answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end("[]")
const server = require("node:http").createServer({ keepAliveTimeout: 0 }, answer)
server.listen(Number(process.argv[1]), "127.0.0.1", () => console.log(server.address().port))`

const started = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", script, String(port)])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const portOf = (child: ChildProcess) =>
  Effect.promise(async () => Number(String(await once(child.stdout ?? child, "data"))))

/** Until it is over, or for so many turns; whether it is over. */
const busy = (isOver: () => boolean, most: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    let turns = 0
    const turn = (): void => {
      if (isOver() || turns === most) {
        resume(Effect.succeed(isOver()))
        return
      }
      turns += 1
      // Longer than what is taken for a standstill.
      const until = performance.now() + 1_100
      while (performance.now() < until);
      setImmediate(turn)
    }
    setImmediate(turn)
  })

describe("a process that is busy for more than a second in each turn of its event loop", () => {
  it.scopedLive(
    "has a database that was restarted in use again while it is as busy, and no read fails",
    () =>
      Effect.gen(function* () {
        const first = yield* started(0)
        const port = yield* portOf(first)
        yield* Effect.gen(function* () {
          yield* read
          const ended = once(first, "exit")
          first.kill("SIGKILL")
          yield* Effect.promise(() => ended)
          let answered = 0
          const one = Effect.tap(read, () => Effect.sync(() => (answered += 1)))
          const reads = yield* Effect.fork(
            Effect.all(
              Array.from({ length: 20 }, () => one),
              { concurrency: "unbounded" }
            )
          )
          yield* busy(() => false, 2)
          yield* started(port)
          // Sooner than their delay is over: the probe has found it.
          expect(yield* busy(() => answered > 0, 20)).toBe(true)
          expect(yield* Fiber.join(reads)).toHaveLength(20)
        }).pipe(Effect.provide(layer(`http://127.0.0.1:${port}`, { maxRetries: 1, retryDelay: "20 seconds" })))
      }),
    60_000
  )
})
