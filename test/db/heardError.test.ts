/** `if (error) throw error`: what a gateway's JSON says, whatever it looks like, is an error of ours. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { saidOf } from "../../src/internal/connection/errorBody.js"
import { isOfAnswer } from "../../src/internal/db/heardError.js"
import { createDatabase } from "../../src/promise.js"
import { rows, type Scripted, scripted } from "../support/postgrest.js"

const json = { "content-type": "application/json" }

/** A body, and the words that it gives as the reason. */
const bodies: ReadonlyArray<readonly [what: string, body: string, reason: string]> = [
  ["an error", '{"error":"upstream timed out"}', "upstream timed out"],
  ["an error in spaces", '{\n  "error": "upstream timed out"\n}', "upstream timed out"],
  ["nothing", "{}", "the server gave no reason"],
  ["msg", '{"msg":"no route"}', "no route"],
  ["a problem", '{"type":"about:blank","title":"Bad Gateway","detail":"no host","status":502}', "Bad Gateway: no host"],
  ["a number", '{"code":503}', "the server gave no reason"],
  ["a message that is null", '{"message":null}', "the server gave no reason"],
  ["a message that is an object", '{"message":{"a":1}}', "the server gave no reason"],
  ["an error within", '{"error":{"message":"deeper"}}', "deeper"],
  ["a byte order mark and a message", '\ufeff{"message":"marked"}', "marked"],
  ["a byte order mark and an error", '\ufeff{"error":"marked"}', "marked"],
  ["more than is looked at", JSON.stringify({ error: "y".repeat(70_000) }), "yyyy"]
]

const served = Effect.gen(function* () {
  const { script, seen, url } = yield* scripted
  const db = yield* Effect.acquireRelease(
    Effect.sync(() =>
      createDatabase({
        url,
        anonKey: "an-anon-key-for-this-test",
        serviceRoleKey: "a-service-key-for-this-test",
        minConnections: 1,
        maxConnections: 4,
        maxRetries: 1,
        retryDelay: 1,
        enableHealthChecks: false
      })
    ),
    (db) => Effect.promise(() => db.close())
  )
  const failed = (body: string): Scripted => ({ status: 502, headers: json, body })
  const asked = () => seen.filter(({ url }) => url !== "/").length
  return { db, script, failed, asked }
})

describe("what a gateway says in JSON and the caller throws on", () => {
  for (const [what, body, reason] of bodies) {
    it.scopedLive(`(${what}) is a QueryError with its reason, repeated where that is safe`, () =>
      Effect.gen(function* () {
        const { asked, db, failed, script } = yield* served
        const read = () =>
          db.executeWithPool(async (client) => {
            const { data, error } = await client.from("notes").select("*")
            if (error) throw error
            return data
          })
        const write = (idempotent: boolean) => () =>
          db.executeWithPool(
            async (client) => {
              const { error } = await client.from("notes").upsert({ id: 1 })
              if (error) throw error
            },
            "write",
            { idempotent }
          )
        for (const [operation, requests, mayHaveExecuted] of [
          [read, 2, false],
          [write(true), 2, true],
          [write(false), 1, true]
        ] as const) {
          const before = asked()
          script.splice(0, script.length, failed(body), failed(body))
          const error: unknown = yield* Effect.promise(() => operation().then(undefined, (thrown: unknown) => thrown))
          expect(error).toMatchObject({ _tag: "QueryError", status: 502, isTransient: true, mayHaveExecuted })
          expect(error).toHaveProperty("reason", expect.stringContaining(reason))
          expect(asked() - before).toBe(requests)
        }
        script.splice(0)
      })
    )
  }

  it.scopedLive("has the same reason where the builder throws it", () =>
    Effect.gen(function* () {
      const { db, failed, script } = yield* served
      for (const [, body, reason] of bodies) {
        script.splice(0, script.length, failed(body), failed(body))
        const error: unknown = yield* Effect.promise(() =>
          db
            .executeWithPool((client) => client.from("notes").select("*").throwOnError())
            .then(undefined, (thrown: unknown) => thrown)
        )
        expect(error).toMatchObject({ _tag: "QueryError", isTransient: true })
        expect(error).toHaveProperty("reason", expect.stringContaining(reason))
      }
    })
  )

  it.scopedLive("is known after a later answer that is good, with the status that it had", () =>
    Effect.gen(function* () {
      const { db, failed, script } = yield* served
      script.push(failed('{"error":"x"}'), rows(), failed('{"error":"x"}'), rows())
      const error: unknown = yield* Effect.promise(() =>
        db
          .executeWithPool(async (client) => {
            const { error } = await client.from("notes").select("*")
            await client.from("others").select("*")
            if (error) throw error
          })
          .then(undefined, (thrown: unknown) => thrown)
      )
      expect(error).toMatchObject({ _tag: "QueryError", status: 502, reason: "x", isTransient: true })
    })
  )

  it.scopedLive("makes the pool unhealthy when there is nothing else", () =>
    Effect.gen(function* () {
      const { db, failed, script } = yield* served
      for (let i = 0; i < 20; i += 1) {
        script.push(failed('{"error":"x"}'), failed('{"error":"x"}'))
        yield* Effect.promise(() =>
          db
            .executeWithPool(async (client) => {
              const { error } = await client.from("notes").select("*")
              if (error) throw error
            })
            .then(undefined, () => undefined)
        )
      }
      script.splice(0)
      const { status } = yield* Effect.promise(() => db.checkDatabaseHealth())
      expect(status).not.toBe("healthy")
    })
  )

  it.scopedLive("is not what the caller throws of its own after such an answer", () =>
    Effect.gen(function* () {
      const { db, failed, script } = yield* served
      for (const own of [new RangeError("mine"), { error: "mine" }, { reason: 1 }, "mine", undefined]) {
        script.push(failed("{}"))
        const thrown: unknown = yield* Effect.promise(() =>
          db
            .executeWithPool(async (client) => {
              await client.from("notes").select("*")
              throw own
            })
            .then(undefined, (thrown: unknown) => thrown)
        )
        expect(thrown).toBe(own)
        script.splice(0)
      }
    })
  )
})

describe("what was thrown", () => {
  const answer = (body: string) => saidOf({ method: "GET", url: "http://a/b", status: 502, header: () => null, body })

  it("is an answer's exactly where it is what the answer says", () =>
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (one, other) => {
          const body = JSON.stringify(one)
          const parsed: object = JSON.parse(body)
          expect(isOfAnswer(parsed, answer(body))).toBe(true)
          expect(isOfAnswer(parsed, answer(JSON.stringify(one, null, 2)))).toBe(true)
          if (JSON.stringify(other) === body || "message" in other) return
          expect(isOfAnswer(JSON.parse(JSON.stringify(other)), answer(body))).toBe(false)
        }
      )
    ))
})
