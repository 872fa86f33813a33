/** Large answers over real HTTP: the same rows, by each way to them, with turns of the event loop between. */
import type * as Http from "node:http"
import { gzipSync } from "node:zlib"
import { describe, expect, it, vi } from "@effect/vitest"
import { createClient } from "@supabase/supabase-js"
import { Effect, Exit, Fiber, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { createDatabase } from "../../src/promise.js"
import { against, failureOf, serve } from "../support/httpServer.js"

const count = 20_000

/** Node 20 has no WebSocket. */
const realtime = { transport: NoRealtime }

const rowOf = (id: number) => ({
  id,
  name: `row "${id}" },{"id":`,
  parts: [{ id: 1 }, { id: 2 }],
  at: "2026-01-01T00:00:00Z"
})

/** As PostgreSQL writes it. */
const text = `[${Array.from({ length: count }, (_, id) => JSON.stringify(rowOf(id))).join(", \n ")}]`

const rows: ReadonlyArray<ReturnType<typeof rowOf>> = JSON.parse(text)

const sending = (response: Http.ServerResponse, body: string | Buffer, headers: Http.OutgoingHttpHeaders = {}): void =>
  void response.writeHead(200, { "content-type": "application/json", ...headers }).end(body)

const all = Db.read((client) => client.from("rows").select("*"))

/** Without millions of characters where they differ. */
const same = (found: unknown): boolean => JSON.stringify(found) === JSON.stringify(rows)

/** Turns of the event loop that somebody else had meanwhile. */
const turnsDuring = async (work: () => Promise<unknown>): Promise<number> => {
  let turns = 0
  let isOver = false
  const other = (): void => {
    turns += 1
    if (!isOver) setImmediate(other)
  }
  setImmediate(other)
  await work()
  isOver = true
  return turns
}

describe("a large answer", () => {
  it.effect("is the rows of it, plain and compressed, and by who asks for a count", () =>
    against((response, { headers, url }) =>
      url.includes("gzip")
        ? sending(response, gzipSync(text), { "content-encoding": "gzip" })
        : sending(response, text, {
            "content-range": `0-${count - 1}/${headers["prefer"] === undefined ? "*" : count}`
          })
    )(() =>
      Effect.gen(function* () {
        expect(same(yield* all)).toBe(true)
        expect(same(yield* Db.read((client) => client.from("gzip").select("*")))).toBe(true)
        const counted = yield* Db.response((client) => client.from("rows").select("*", { count: "exact" }))
        expect(counted).toMatchObject({ count, status: 200 })
        expect(same(counted.data)).toBe(true)
      })
    )
  )

  it.effect("is text for who asks for CSV, and one row too many for maybeSingle", () =>
    against((response) => sending(response, text))(() =>
      Effect.gen(function* () {
        const csv: unknown = yield* Db.read((client) => client.from("rows").select("*").csv())
        expect(csv === text).toBe(true)
        const failure = yield* failureOf(Db.read((client) => client.from("rows").select("*").maybeSingle()))
        expect(failure).toMatchObject({ code: "PGRST116", details: expect.stringContaining(`${count} rows`) })
      })
    )
  )

  it.effect("keeps all digits where they are asked for", () => {
    const long = "12345678901234567890"
    const exact = `[${Array.from({ length: count }, (_, id) => `{"id":${id},"big":${long}}`).join(",")}]`
    return against((response) => sending(response, exact))(() =>
      Effect.gen(function* () {
        const found = yield* Db.read((client) => client.from("rows").select("*"), { exact: true })
        expect(found).toHaveLength(count)
        expect(found.every((row) => JSON.stringify(row).endsWith(`"big":"${long}"}`))).toBe(true)
      })
    )
  })

  it.effect("of a table is decoded in parts, and a row that does not fit is named", () => {
    const Row = Schema.Struct({ id: Schema.Number, name: Schema.String, at: Schema.Date })
    const table = Db.table("rows", Row)
    return against((response, _, nth) => sending(response, nth === 1 ? text : text.replace('"id":19999', '"id":"x"')))(
      () =>
        Effect.gen(function* () {
          const found = yield* table.list()
          expect(found.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
          expect(yield* failureOf(table.list())).toMatchObject({ _tag: "DecodeError", id: "x" })
        })
    )
  })

  it.effect("that breaks says where, and gives no row", () => {
    const broken = text.replace('"id":15000', '"id":15000!')
    const at = Buffer.byteLength(broken.slice(0, broken.indexOf("!")))
    const words = `it breaks at byte ${at} of ${Buffer.byteLength(broken)}, in row 15001`
    return against((response) => sending(response, broken))(() =>
      Effect.gen(function* () {
        const read = yield* failureOf(all)
        expect(read).toMatchObject({ _tag: "QueryError", isTransient: false, status: 200 })
        expect(read.message).toContain(`the answer is not JSON: ${words}`)
        const thrown = yield* failureOf(Db.read((client) => client.from("rows").select("*").throwOnError()))
        expect(thrown.message).toContain(words)
        const caught = yield* failureOf(
          Db.read((client) =>
            Effect.tryPromise({
              try: async () => client.from("rows").select("*").throwOnError(),
              catch: String
            })
          )
        )
        // Of an effect of one's own the error is one's own, too.
        expect(String(caught)).toContain(words)
        const written = yield* failureOf(Db.write((client) => client.from("rows").insert({ id: 1 }).select("*")))
        expect(written).toMatchObject({ mayHaveExecuted: true })
        expect(written.message).toContain(words)
      })
    )
  })

  it.effect("that ends too early says so", () =>
    against((response) => sending(response, text.slice(0, 1_000_000)))(() =>
      Effect.gen(function* () {
        expect((yield* failureOf(all)).message).toContain("it ends too early, after 1000000 bytes, in row ")
      })
    )
  )

  it.scopedLive("leaves turns of the event loop to others, by each way of the Promise API, with fake timers too", () =>
    Effect.gen(function* () {
      const server = yield* serve((response, { url }) => sending(response, url.includes("rows") ? text : "[]"))
      const database = yield* Effect.acquireRelease(
        Effect.sync(() =>
          createDatabase({
            url: server.url,
            anonKey: "an-anon-key-for-this-test",
            serviceRoleKey: "a-service-key-for-this-test",
            enableHealthChecks: false
          })
        ),
        ({ close }) => Effect.promise(close)
      )
      const { executeWithPool } = database
      yield* Effect.promise(() => executeWithPool((client) => client.from("others").select("*")))
      const ways: ReadonlyArray<() => Promise<unknown>> = [
        () => executeWithPool((client) => client.from("rows").select("*")),
        () =>
          executeWithPool(async (client) => {
            const { data } = await client.from("rows").select("*")
            return data
          }),
        () => executeWithPool((client) => client.schema("other").from("rows").select("*")),
        () => executeWithPool((client) => client.rpc("rows"), "write"),
        async () =>
          createClient(server.url, "anon", { global: { fetch: database.pooledFetch }, realtime })
            .from("rows")
            .select("*")
      ]
      // In pieces of 128 kB, each in a turn of its own. Where it is one, supabase-js parses by itself: see rowsInPieces.ts.
      const least = text.length / 131_072
      for (const way of ways) {
        const turns = yield* Effect.promise(() =>
          turnsDuring(async () => {
            const found = await way()
            expect(same(Array.isArray(found) ? found : Reflect.get(Object(found), "data"))).toBe(true)
          })
        )
        expect(turns).toBeGreaterThan(least)
      }
      vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "setImmediate", "Date"] })
      const found = yield* Effect.promise(() => executeWithPool((client) => client.from("rows").select("*")))
      vi.useRealTimers()
      expect(same(found.data)).toBe(true)
    })
  )

  it.scopedLive("is parsed no further when its caller is interrupted", () =>
    Effect.gen(function* () {
      const many = `[${text.slice(1, -1)}${`, \n ${text.slice(1, -1)}`.repeat(9)}]`
      const program = against((response) => sending(response, many))((server) =>
        Effect.gen(function* () {
          let parsed = 0
          const parse = JSON.parse
          const spy = vi.spyOn(JSON, "parse").mockImplementation((json: string) => {
            parsed += json.length
            return parse(json)
          })
          const fiber = yield* Effect.fork(all)
          yield* server.until(() => server.seen.length === 1)
          while (parsed < 1_000_000) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          const exit = yield* Fiber.interrupt(fiber)
          const before = parsed
          yield* Effect.sleep("100 millis")
          spy.mockRestore()
          expect(Exit.isInterrupted(exit)).toBe(true)
          expect(parsed - before).toBeLessThan(1_000_000)
          expect(before).toBeLessThan(many.length / 2)
        })
      )
      yield* program
    })
  )
})
