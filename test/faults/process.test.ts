/** What a service's end, wanted or not, does to the work that is under way. */
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { request } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { as, embedded } from "../support/embedded.js"
import { json, serve } from "../support/httpServer.js"
import { program } from "../support/program.js"
import { shows } from "../support/reliability.js"

interface Database {
  readonly url: string
  readonly anonKey: string
  readonly serviceRoleKey: string
}

/** The service in a process of its own, once it listens. */
const service = (database: Database) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [program("test/support/serviceChild.ts")], {
        env: {
          PATH: process.env["PATH"] ?? "",
          SUPABASE_URL: database.url,
          SUPABASE_ANON_KEY: database.anonKey,
          SUPABASE_SERVICE_ROLE_KEY: database.serviceRoleKey,
          DB_POOL_MIN_CONNECTIONS: "2",
          DB_POOL_MAX_CONNECTIONS: "8",
          LOG_LEVEL: "none"
        },
        // What it says when it dies is expected.
        stdio: ["ignore", "pipe", "ignore"]
      })
      const ended = once(child, "exit").then(() => ({ code: child.exitCode, signal: child.signalCode }))
      const port = await Promise.race([
        once(child.stdout, "data").then(([line]) => Number(String(line))),
        ended.then((how) => Promise.reject(new Error(`it did not start: ${JSON.stringify(how)}`)))
      ])
      return { child, ended, port }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** The status, or why there is none. A socket for each, so that none is one that the server is about to close. */
const post = (port: number, path: string) =>
  Effect.async<number | string>((resume) => {
    const asking = request(
      { port, host: "127.0.0.1", path, method: "POST", agent: false, timeout: 15_000 },
      (response) => {
        response.resume()
        response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
        response.on("error", (error) => resume(Effect.succeed(error.message)))
      }
    )
    asking.on("error", (error) => resume(Effect.succeed("code" in error ? String(error.code) : error.message)))
    asking.on("timeout", () => asking.destroy())
    asking.end()
    return Effect.sync(() => asking.destroy())
  })

/** Callers who wait for a connection, as the service's metrics say. */
const waiting = (port: number): Effect.Effect<number> =>
  Effect.promise(async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const counts = text.matchAll(/^db_client_connection_pending_requests\{.*\} (\d+)$/gm)
    return [...counts].reduce((total, [, count]) => total + Number(count), 0)
  })

describe("a service that is told to end", () => {
  it.scopedLive(
    "answers every request that it had begun, those that wait for a connection too, and takes no new one",
    (context) =>
      Effect.gen(function* () {
        const held: Array<() => void> = []
        const database = yield* serve((response) => void held.push(() => json(response, null, 201)))
        const { child, ended, port } = yield* service({ url: database.url, anonKey: "anon", serviceRoleKey: "service" })
        // Of twelve, four have one of the write pool's connections.
        const underWay = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, n) => n),
          (n) => Effect.fork(post(port, `/note/${n}`))
        )
        yield* database.until(() => held.length === 4)
        yield* Effect.repeat(waiting(port), { until: (count) => count === 8, schedule: Schedule.spaced("10 millis") })
        child.kill("SIGTERM")
        yield* Effect.repeat(post(port, "/nowhere"), {
          until: (answer) => answer === "ECONNREFUSED",
          schedule: Schedule.spaced("10 millis")
        })
        for (let answered = 0; answered < 12; answered += 1) {
          yield* database.until(() => held.length > answered)
          held[answered]?.()
        }
        const answers = yield* Effect.forEach(underWay, Fiber.join)
        expect(answers).toEqual(Array.from({ length: 12 }, () => 201))
        expect(yield* Effect.promise(() => ended)).toEqual({ code: 0, signal: null })
        yield* database.until(() => database.open() === 0)
        shows(context, {
          kind: "promise",
          section: "Process",
          what: "SIGTERM with 12 requests under way, 8 of which wait for a connection: all 12 are answered, new ones are refused, the exit code is 0, and no socket is left at the database"
        })
      }),
    60_000
  )
})

/** Rows of these keys, asked past the service. */
const rowsOf = (run: string): Effect.Effect<ReadonlyMap<string, number>> =>
  Effect.promise(async () => {
    const { data } = await as.service().from("notes").select("body").like("body", `${run}%`).throwOnError()
    const counts = new Map<string, number>()
    for (const { body } of data) {
      const [key = ""] = String(body).split(" ")
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return counts
  })

/** Callers who put rows into the database, one after the other, until the service is gone. */
const load = (port: number, run: string, acknowledged: Array<string>) =>
  Effect.forEach(
    Array.from({ length: 10 }, (_, n) => n),
    (n) =>
      Effect.gen(function* () {
        for (let nth = 0; ; nth += 1) {
          const key = `${run}-${n}-${nth}`
          const answer = yield* post(port, `/notes/${key}`)
          if (answer === 201) acknowledged.push(key)
          else if (answer === "ECONNREFUSED") return
        }
      }),
    { concurrency: "unbounded", discard: true }
  )

const ends: ReadonlyArray<{
  readonly how: string
  readonly end: (child: ChildProcess, port: number) => Effect.Effect<unknown>
  readonly as: unknown
}> = [
  {
    how: "SIGTERM",
    end: (child) => Effect.sync(() => child.kill("SIGTERM")),
    as: { code: 0, signal: null }
  },
  {
    how: "a second SIGTERM while it drains",
    end: (child) => Effect.sync(() => [child.kill("SIGTERM"), child.kill("SIGTERM")]),
    as: expect.objectContaining({ signal: expect.toSatisfy((signal) => signal === null || signal === "SIGTERM") })
  },
  {
    how: "kill -9",
    end: (child) => Effect.sync(() => child.kill("SIGKILL")),
    as: { code: null, signal: "SIGKILL" }
  },
  {
    how: "an error that nobody handles",
    end: (_, port) => post(port, "/crash"),
    as: { code: 1, signal: null }
  }
]

describe("a service that writes when its process ends", () => {
  for (const { as, end, how } of ends) {
    it.scopedLive(
      `by ${how}: what was acknowledged is there, and no transaction is there by half`,
      (context) =>
        Effect.gen(function* () {
          const { child, ended, port } = yield* service(embedded)
          const run = randomUUID()
          const acknowledged: Array<string> = []
          const loading = yield* Effect.fork(load(port, run, acknowledged))
          yield* Effect.repeat(Effect.void, {
            until: () => acknowledged.length >= 30,
            schedule: Schedule.spaced("5 millis")
          })
          yield* end(child, port)
          expect(yield* Effect.promise(() => ended)).toEqual(as)
          yield* Fiber.join(loading)
          const rows = yield* rowsOf(run)
          expect(acknowledged.filter((key) => rows.get(key) !== 2)).toEqual([])
          expect([...rows].filter(([, count]) => count !== 2)).toEqual([])
          shows(context, {
            kind: "promise",
            section: "Process",
            what: `${how}, ten callers writing transactions of two rows: each that was acknowledged is in the database, and none is there by half`
          })
        }),
      60_000
    )
  }
})
