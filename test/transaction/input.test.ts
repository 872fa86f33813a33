/** What a transaction makes of input that nobody expects: a defined answer, and a database that is right. */
import { randomUUID } from "node:crypto"
import { assert, describe, it, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { database, failure, settled } from "../support/transactions.js"

const notes = (client: SupabaseClient) => client.from("notes")
const bytes = (client: SupabaseClient) => client.from("tx_bytes")

/** As JSON gives it back where that is something else than what was sent. */
interface Value {
  readonly column: string
  readonly value: unknown
  readonly gives?: unknown
}

const values: Readonly<Record<string, Value>> = {
  emoji: { column: "body", value: "🦊👩‍👩‍👧‍👦 é ﷽" },
  "quotes and backslashes": { column: "body", value: `'"\`\\ '' "" $$ \\' \\u0041 \\x41 %s {} [] ()` },
  "line ends and control characters": { column: "body", value: "a\r\nb\tc\u0001\u007f\u2028" },
  "an empty text": { column: "body", value: "" },
  "text that looks like JSON": { column: "body", value: '{"a": null}' },
  "text that looks like a number": { column: "body", value: "1e5" },
  "a Date": { column: "at", value: new Date("2025-02-28T23:59:59.123Z"), gives: "2025-02-28T23:59:59.123+00:00" },
  "a time with an offset": { column: "at", value: "2025-02-28T23:59:59+05:30", gives: "2025-02-28T18:29:59+00:00" },
  "a day of a Date": { column: "at", value: new Date(0), gives: "1970-01-01T00:00:00+00:00" },
  "the end of time": { column: "at", value: "infinity", gives: "infinity" },
  "a number that binary fractions miss": { column: "amount", value: 0.1 },
  "a number as text": { column: "amount", value: "19.90", gives: 19.9 },
  "JSON that is null": { column: "tags", value: { a: null, b: [null] } },
  "JSON that is deep": { column: "tags", value: JSON.parse(`${"[".repeat(200)}1${"]".repeat(200)}`) },
  "JSON with keys that SQL knows": { column: "tags", value: { 'a"b': 1, "'": 2, "": 3, __proto: 4, "->": 5 } }
}

/** What JSON's numbers cannot hold is whole in the database; the client reads it as any number of JSON. */
const kinds: Readonly<Record<string, Value>> = {
  "the largest bigint": { column: "big", value: 9_223_372_036_854_775_807n, gives: 2 ** 63 },
  "the smallest bigint, as text": { column: "big", value: "-9223372036854775808", gives: -(2 ** 63) },
  bytes: { column: "raw", value: "\\x00ff10" },
  "no bytes": { column: "raw", value: "\\x" },
  "infinity of a float": { column: "f", value: "Infinity" },
  "not a number": { column: "f", value: "NaN" },
  "the smallest float": { column: "f", value: 5e-324 },
  "negative zero": { column: "f", value: -0, gives: 0 },
  "a day": { column: "day", value: "2024-02-29" }
}

const refused: Readonly<Record<string, readonly [column: string, value: unknown, code: string]>> = {
  "a day that is none": ["day", "2025-02-29", "22008"],
  "a text that is too long": ["short", "four", "22001"],
  "a number that is too large": ["big", 1e30, "22003"],
  "bytes that are none": ["raw", "\\xZZ", "22023"],
  "half a character": ["short", "\ud800", "UNSUPPORTED"],
  "an object where a text is": ["day", { a: 1 }, "22007"],
  "a truth where a number is": ["big", true, "22P02"]
}

describe("values in a transaction", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    for (const [name, { column, gives, value }] of Object.entries(values)) {
      it.effect(`${name} comes back as it went in`, () =>
        Effect.gen(function* () {
          const id = randomUUID()
          const [inserted, , found] = yield* Db.transaction([
            (c) =>
              notes(c)
                .insert({ id, [column]: value })
                .select(column)
                .single(),
            (c) =>
              notes(c)
                .update({ [column]: value })
                .eq("id", id),
            (c) => notes(c).select(column).eq("id", id).single()
          ])
          const expected = { [column]: gives ?? value }
          assert.deepStrictEqual([inserted, found], [expected, expected])
        })
      )
    }

    for (const [name, { column, gives, value }] of Object.entries(kinds)) {
      it.effect(`${name} comes back as it went in, and is found by itself`, () =>
        Effect.gen(function* () {
          const id = randomUUID()
          const [, found, byValue] = yield* Db.transaction([
            (c) => bytes(c).insert({ id, [column]: value }),
            (c) => bytes(c).select(column).eq("id", id).single(),
            (c) => bytes(c).select("id").eq(column, value).eq("id", id)
          ])
          assert.deepStrictEqual<unknown>(found, { [column]: gives ?? value })
          assert.deepStrictEqual(byValue, [{ id }])
        })
      )
    }

    for (const [name, [column, value, code]] of Object.entries(refused)) {
      it.effect(`${name} is refused, and nothing is kept`, () =>
        Effect.gen(function* () {
          const id = randomUUID()
          const failed = yield* failure(
            Db.transaction([(c) => bytes(c).insert({ id }), (c) => bytes(c).insert({ [column]: value })])
          )
          assert.deepInclude(failed, { failed: "TransactionFailed", code })
          assert.deepStrictEqual(yield* Db.read((c) => bytes(c).select("id").eq("id", id)), [])
        })
      )
    }

    it.effect("a row of 10 MB is written and given back", () =>
      Effect.gen(function* () {
        const body = "0123456789".repeat(1_000_000)
        const [written] = yield* Db.transaction([(c) => notes(c).insert({ body }).select("id, body").single()])
        assert.isString(written.body)
        assert.isTrue(written.body === body)
        yield* Db.write((c) => notes(c).delete().eq("id", written.id))
      })
    )

    it.effect("of 1,000 steps whose last one fails nothing is kept", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const steps = Array.from({ length: 999 }, () => (c: SupabaseClient) => notes(c).insert({ body }))
        const failed = yield* failure(Db.transaction([...steps, (c) => notes(c).insert({ n: "none" })]))
        assert.deepInclude(failed, { step: 999, operation: "insert notes", code: "22P02" })
        assert.deepStrictEqual(yield* Db.read((c) => notes(c).select("id").eq("body", body)), [])
      })
    )
  })

  it.effect("no steps are done without asking the database", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Db.transaction([]), [])
      assert.deepStrictEqual(yield* settled(Db.transaction([], { idempotencyKey: "" })), [])
    }).pipe(
      Effect.provide(
        Db.layerTest((request) => {
          throw new Error(`sent ${request.method} ${request.url}`)
        })
      )
    )
  )
})
