/** What cannot be sent as it is: refused by field before anything is sent, whatever it is and wherever it stands. */
import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Data, Effect, FastCheck as fc, Schema } from "effect"
import * as Db from "../../src/Db.js"
import type { ResultWithoutData } from "../../src/internal/db/postgrestResult.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { Hosts } from "../../src/internal/promise/hosts.js"
import { quoted } from "../../src/internal/table/literal.js"
import * as Pool from "../../src/Pool.js"
import { createDatabase } from "../../src/promise.js"
import { anonKey, json, layer, serve, serviceRoleKey } from "../support/httpServer.js"

class Told extends Data.TaggedError("Told")<{ readonly message: string }> {}

type Query = (client: SupabaseClient, bad: string) => PromiseLike<ResultWithoutData>

const notes = (client: SupabaseClient) => client.from("notes")

/** Where a text may stand in an address, and how the error names the place. */
const inFilter: readonly [query: Query, where: string] = [
  (c, bad) => notes(c).select().eq("body", bad),
  "the filter body"
]

const inAddress: Readonly<Record<string, readonly [query: Query, where: string]>> = {
  eq: inFilter,
  "eq of a column": [(c, bad) => notes(c).select().eq("body", bad), "the filter body"],
  "a second filter": [(c, bad) => notes(c).select().eq("n", 1).neq("body", bad), "the filter body"],
  in: [(c, bad) => notes(c).select().in("body", ["fine", bad]), "the filter body"],
  like: [(c, bad) => notes(c).select().like("body", `%${bad}%`), "the filter body"],
  likeAnyOf: [(c, bad) => notes(c).select().likeAnyOf("body", [bad]), "the filter body"],
  or: [(c, bad) => notes(c).select().or(`body.eq.${bad},n.eq.1`), "the filter or"],
  match: [(c, bad) => notes(c).select().match({ body: bad }), "the filter body"],
  not: [(c, bad) => notes(c).select().not("body", "eq", bad), "the filter body"],
  filter: [(c, bad) => notes(c).select().filter("body", "eq", bad), "the filter body"],
  "contains of a list": [(c, bad) => notes(c).select().contains("tags", [bad]), "the filter tags"],
  "contains of an object": [
    (c, bad) =>
      notes(c)
        .select()
        .contains("meta", { a: [bad] }),
    "the filter meta"
  ],
  "containedBy of an object": [(c, bad) => notes(c).select().containedBy("meta", { a: bad }), "the filter meta"],
  overlaps: [(c, bad) => notes(c).select().overlaps("tags", [bad]), "the filter tags"],
  textSearch: [(c, bad) => notes(c).select().textSearch("body", bad), "the filter body"],
  "a filter's name": [(c, bad) => notes(c).select().eq(`bo${bad}dy`, 1), "the filter boabdy"],
  order: [(c, bad) => notes(c).select().order(`n${bad}`), "order"],
  select: [(c, bad) => notes(c).select(`n${bad}`), "select"],
  "a table's name": [(c, bad) => c.from(`no${bad}tes`).select(), "the name noabtes"],
  "a table's name in a schema": [(c, bad) => c.schema("api").from(`no${bad}tes`).select(), "the name noabtes"],
  "a filter in a schema": [(c, bad) => c.schema("api").from("notes").select().eq("body", bad), "the filter body"],
  "a function's name": [(c, bad) => c.rpc(`f${bad}`, {}, { get: true }), "the name fab"],
  "a filter of a function": [(c, bad) => c.rpc("f", {}, { get: true }).eq("body", bad), "the filter body"],
  "an argument by GET": [(c, bad) => c.rpc("f", { it: bad }, { get: true }), "the argument it"],
  "an argument in a list": [(c, bad) => c.rpc("f", { it: ["a", bad] }, { get: true }), "the argument it"],
  "an argument in an object": [(c, bad) => c.rpc("f", { it: { deep: bad } }, { get: true }), "the argument it"]
}

const writes: Readonly<Record<string, readonly [query: Query, where: string]>> = {
  update: [(c, bad) => notes(c).update({ n: 1 }).eq("body", bad), "the filter body"],
  delete: [(c, bad) => notes(c).delete().eq("body", bad), "the filter body"],
  onConflict: [(c, bad) => notes(c).upsert({ n: 1 }, { onConflict: `n${bad}` }), "on_conflict"]
}

const half = "half a character (a surrogate without the other) is no text"
const nul = "PostgreSQL's texts have no NUL"

/** Each with a letter before and behind it. */
const texts = [
  ["the first half of a character", "a\ud800b", half],
  ["the second half of a character", "a\udc00b", half],
  ["halves the wrong way round", "a\udc00\ud800b", half],
  ["NUL", "a\0b", nul]
] as const

const body =
  (value: unknown): Query =>
  (client) =>
    notes(client).insert({ n: value })

const circle: Record<string, unknown> = {}
circle["itself"] = circle

/** What a body may hold that JSON changes in silence. */
const values: Readonly<Record<string, readonly [value: unknown, issue: string]>> = {
  "a circle": [circle, "n.itself cannot be sent: it is in itself, and JSON has no circles"],
  "an invalid Date": [new Date(Number.NaN), "n cannot be sent: an invalid Date"],
  "a Date in a list": [[new Date(Number.NaN)], "n.0 cannot be sent: an invalid Date"],
  "a number that is none": [Number.NaN, "n cannot be sent: NaN would be sent as null"],
  "a function": [() => 1, "n cannot be sent: a function has no form in JSON"],
  "a symbol": [Symbol("s"), "n cannot be sent: a symbol has no form in JSON"],
  bytes: [new Uint8Array(2), "n cannot be sent: bytes have no form in JSON"],
  "half a character": ["a\ud800", `n cannot be sent: ${half}`],
  NUL: [{ deep: ["\0"] }, `n.deep.0 cannot be sent: ${nul}`],
  "NUL in a name": [{ "de\0ep": 1 }, `n.deep cannot be sent: in its name: ${nul}`],
  "half a character in a name": [{ "de\ud800ep": 1 }, `n.deep cannot be sent: in its name: ${half}`]
}

const asked = Effect.gen(function* () {
  const server = yield* serve((response) => json(response, []))
  const refused = <E extends Error>(effect: Effect.Effect<unknown, E, Db.Db | Db.ReadDb>) =>
    Effect.map(Effect.flip(effect), (error) => {
      expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([])
      return error
    }).pipe(Effect.provide(layer(server.url)))
  return { server, refused }
})

const invalid = (message: string) => ({
  _tag: "QueryError",
  code: "INVALID_REQUEST",
  isTransient: false,
  mayHaveExecuted: false,
  message: expect.stringContaining(message)
})

describe("what cannot be sent is refused by field, and nothing is sent", () => {
  it.scopedLive("NUL in a name, wherever it stands: a URL would drop it at the end, and another table be asked", () =>
    Effect.gen(function* () {
      const { refused } = yield* asked
      for (const name of ["\0notes", "no\0tes", "notes\0", "notes\0\0", "notes\0 "]) {
        for (const asking of [
          Db.read((client) => client.from(name).select()),
          Db.read((client) => client.schema("other").from(name).select()),
          Db.write((client) => client.from(name).delete().eq("id", 1)),
          Db.rpc(name),
          Db.rpc(name, {}, { get: true })
        ] as const) {
          expect(yield* refused(asking)).toMatchObject(invalid("cannot be sent: PostgreSQL's texts have no NUL"))
        }
      }
    })
  )

  it.scopedLive("a name arrives with all of its characters, and is never another's", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, []))
      for (const name of ["no\ntes", "no\tt\res", "notes\n", "notes ", " notes", "no tes", "notes\u007f", "nötes"]) {
        const before = server.seen.length
        yield* Effect.all([
          Db.read((client) => client.from(name).select("*")),
          Db.write((client) => client.from(name).insert({ id: 1 })),
          Db.rpc(name)
        ]).pipe(Effect.provide(layer(server.url)))
        expect(server.seen.slice(before).map(({ url }) => decodeURIComponent(url.split("?", 1).join("")))).toEqual([
          `/rest/v1/${name}`,
          `/rest/v1/${name}`,
          `/rest/v1/rpc/${name}`
        ])
      }
    })
  )

  for (const [what, bad, issue] of texts) {
    it.scopedLive(`${what} in every place of an address of a read`, () =>
      Effect.gen(function* () {
        const { refused } = yield* asked
        for (const [query, where] of Object.values(inAddress)) {
          const error = yield* refused(Db.response((client) => query(client, bad)))
          expect(error).toMatchObject(invalid(where))
          expect(error.message).toContain(issue)
        }
      })
    )

    it.scopedLive(`${what} in every place of an address of a write`, () =>
      Effect.gen(function* () {
        const { refused } = yield* asked
        for (const [query, where] of Object.values(writes)) {
          const error = yield* refused(Db.write((client) => query(client, bad)))
          expect(error).toMatchObject(invalid(`${where} cannot be sent: ${issue}`))
        }
      })
    )

    it.scopedLive(`${what} in whatever a table is asked by`, () =>
      Effect.gen(function* () {
        const Note = Schema.Struct({ id: Schema.String, body: Schema.String, tags: Schema.Array(Schema.String) })
        const table = Db.table("notes", Note, { search: ["body"] })
        const row = { id: "1", body: bad, tags: [] }
        const { refused } = yield* asked
        for (const operation of [
          table.get(bad),
          table.getMany(["1", bad]),
          table.list({ where: { body: bad } }),
          table.list({ where: { body: ["a", bad] } }),
          table.list({ where: { body: Db.not(Db.like(`${bad}%`)) } }),
          table.list({ where: { body: Db.gte(bad) } }),
          table.list({ where: { tags: Db.contains([bad]) } }),
          table.count({ where: { body: bad } }),
          table.search({ query: bad }),
          table.create(row),
          table.upsert(row),
          table.update("1", { body: bad }),
          table.update(bad, { body: "a" }),
          table.remove(bad)
        ] as const) {
          expect((yield* refused(operation)).message).toContain(issue)
        }
      })
    )

    it.scopedLive(`${what} in a step of a transaction, by its number`, () =>
      Effect.gen(function* () {
        const { refused } = yield* asked
        for (const [query, where] of [...Object.values(writes), inFilter]) {
          const error = yield* refused(
            Db.transaction([(c) => notes(c).insert({ n: 1 }), (c) => notes(c).insert({ n: 2 }), (c) => query(c, bad)])
          )
          expect(error).toMatchObject({
            _tag: "TransactionFailed",
            step: 2,
            reason: `${where} cannot be sent: ${issue}`
          })
          expect(error.message).toContain("step 2")
        }
      })
    )

    it.scopedLive(`${what} in the Promise API, by whichever client`, () =>
      Effect.gen(function* () {
        const { server } = yield* asked
        const options = { url: server.url, anonKey, serviceRoleKey, enableHealthChecks: false, maxRetries: 0 }
        const db = yield* Effect.acquireRelease(
          Effect.sync(() => createDatabase(options)),
          (made) => Effect.promise(() => made.close())
        )
        const [query] = inFilter
        const error: unknown = yield* Effect.promise(() =>
          db.executeWithPool(async (c) => (await query(c, bad)).error).then((given) => given)
        )
        expect(error).toMatchObject({ message: expect.stringContaining(`the filter body cannot be sent: ${issue}`) })
        const hosts = new Hosts()
        const client = clientOn((url) => hosts.of(url))(server.url, anonKey)
        const { error: lean } = yield* Effect.promise(() => Promise.resolve(query(client, bad)))
        expect(lean).toMatchObject({ message: expect.stringContaining(`the filter body cannot be sent: ${issue}`) })
        expect(server.seen).toEqual([])
      })
    )
  }

  for (const [what, [value, message]] of Object.entries(values)) {
    it.scopedLive(`${what} in a body, of a write and of a step`, () =>
      Effect.gen(function* () {
        const { refused } = yield* asked
        const rows = (client: SupabaseClient) => notes(client).upsert([{ n: 1 }, { n: value }])
        const call = (client: SupabaseClient) => client.rpc("f", { n: value })
        expect(yield* refused(Db.write((c) => body(value)(c, "")))).toMatchObject(invalid(message))
        expect(yield* refused(Db.write(rows))).toMatchObject(invalid(`1.${message}`))
        expect(yield* refused(Db.write(call))).toMatchObject(invalid(message))
        const step = yield* refused(Db.transaction([rows, (c) => body(value)(c, "")]))
        expect(step).toMatchObject({ _tag: "TransactionFailed", step: 0, code: "UNSUPPORTED" })
        expect(step.message).toContain(`1.${message}`)
      })
    )
  }

  for (const [what, [value, message]] of Object.entries(values)) {
    it.scopedLive(
      `${what} in a body that an Effect sends, a connection by hand, or a function of the Promise API`,
      () =>
        Effect.gen(function* () {
          const { refused, server } = yield* asked
          const sent: Query = (client) => notes(client).insert([{ n: 1 }, { n: value }])
          const said = { message: expect.stringContaining(`1.${message}`) }
          const inEffect = Db.write((client) => Effect.promise(() => Promise.resolve(sent(client, "")))).pipe(
            Effect.flatMap(({ error }) => new Told({ message: String(error?.message) }))
          )
          expect(yield* refused(inEffect)).toMatchObject(said)
          const byHand = Effect.flatMap(Pool.WritePool, (pool) =>
            pool.use(({ client }) =>
              Effect.promise(() => Promise.resolve(sent(client, ""))).pipe(
                Effect.flatMap(({ error }) => new Told({ message: String(error?.message) }))
              )
            )
          )
          expect(yield* Effect.flip(byHand).pipe(Effect.provide(layer(server.url)))).toMatchObject(said)
          const options = { url: server.url, anonKey, serviceRoleKey, enableHealthChecks: false, maxRetries: 0 }
          const db = yield* Effect.acquireRelease(
            Effect.sync(() => createDatabase(options)),
            (made) => Effect.promise(() => made.close())
          )
          const asks: ReadonlyArray<Query> = [sent, (client) => client.rpc("f", { rows: [1, { n: value }] })]
          for (const [i, ask] of asks.entries()) {
            const at = i === 0 ? `1.${message}` : `rows.1.${message}`
            const given = yield* Effect.promise(() => db.executeWithPool((c) => ask(c, ""), "write"))
            expect(given).toMatchObject({ status: 0, error: { message: expect.stringContaining(at) } })
            const thrown: unknown = yield* Effect.promise(() =>
              db
                .executeWithPool(async (c) => {
                  const { error } = await ask(c, "")
                  if (error !== null) throw error
                }, "write")
                .then(undefined, (error: unknown) => error)
            )
            expect(thrown).toMatchObject(invalid(at))
          }
          expect(server.seen).toEqual([])
        })
    )
  }

  it.scopedLive("a schema that no header can carry, of a read and of a write", () =>
    Effect.gen(function* () {
      const { refused } = yield* asked
      for (const name of ["a\0b", "a\ud800b", "a\nb", "a\r\nx-other: b", "schéma", "😀", " api", "api "]) {
        for (const asking of [
          Db.read((c) => c.schema(name).from("notes").select()),
          Db.write((c) => c.schema(name).from("notes").insert({ n: 1 })),
          Db.write((c) => c.schema(name).rpc("f"))
        ] as const) {
          expect(yield* refused(asking)).toMatchObject(invalid("the schema "))
        }
      }
    })
  )

  it.scopedLive("an object in a filter that has no form in JSON", () =>
    Effect.gen(function* () {
      const { refused } = yield* asked
      const table: ReadonlyArray<readonly [value: Record<string, unknown>, issue: string]> = [
        [circle, "JSON has no circles"],
        [{ a: { b: 1n } }, "BigInt"]
      ]
      for (const [value, issue] of table) {
        for (const asking of [
          Db.read((c) => notes(c).select().contains("meta", value)),
          Db.write((c) => notes(c).delete().containedBy("meta", value))
        ] as const) {
          const error = yield* refused(asking)
          expect(error).toMatchObject(invalid("cannot be sent"))
          expect(error.message).toContain(issue)
          expect(error.message).toContain('("meta")')
        }
      }
    })
  )

  it.scopedLive("what an argument by GET would make a word of", () =>
    Effect.gen(function* () {
      const { refused } = yield* asked
      for (const value of [circle, new Date(Number.NaN), () => 1, Symbol("s")]) {
        for (const it of [value, [value], { deep: value }]) {
          const error = yield* refused(Db.read((client) => client.rpc("f", { it }, { get: true })))
          expect(error).toMatchObject(invalid("the argument it"))
        }
      }
    })
  )
})

describe("what can be sent", () => {
  it.scopedLive("a bigint arrives with all of its digits, wherever it stands", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, []))
      const big = 2n ** 70n
      const digits = "1180591620717411303424"
      yield* Effect.all([
        Db.write((c) => notes(c).insert({ n: big, within: { n: [big] } })),
        Db.rpc("f", { n: big, within: { n: [big] } }),
        Db.rpc("f", { n: big, list: [big], within: { n: big } }, { get: true }),
        Db.read((c) => notes(c).select().eq("n", big).in("m", [big]).contains("l", [big]))
      ]).pipe(Effect.provide(layer(server.url)))
      const inBody = { n: digits, within: { n: [digits] } }
      expect(server.seen.slice(0, 2).map(({ body }) => JSON.parse(String(body)))).toEqual([inBody, inBody])
      const [asked, read] = server.seen.slice(2).map(({ url }) => new URL(url, "http://a").searchParams)
      expect(Object.fromEntries(asked ?? [])).toEqual({
        n: digits,
        list: `{${digits}}`,
        within: JSON.stringify({ n: digits })
      })
      expect(Object.fromEntries(read ?? [])).toEqual({
        select: "*",
        n: `eq.${digits}`,
        m: `in.(${digits})`,
        l: `cs.{${digits}}`
      })
    })
  )

  it.scopedLive("arrives as it is: whole characters, the sign for what is none, backslashes", () =>
    Effect.gen(function* () {
      const { server } = yield* asked
      const sent: Array<string> = []
      const texts = fc.array(fc.oneof(fc.constantFrom("\ufffd", "😀", "\\ud800", "\\u0000", "a+b", "%00"), fc.string()))
      const samples = fc.sample(texts, 60).map((parts) => parts.join("").replaceAll("\0", ""))
      yield* Effect.forEach(samples, (text) => {
        if (/\p{Surrogate}/u.test(text)) return Effect.succeed([])
        sent.push(text)
        return Db.read((client) => notes(client).select().eq("body", text).contains("tags", [text]))
      }).pipe(Effect.provide(layer(server.url)))
      expect(server.seen.map(({ url }) => new URL(url, "http://a").searchParams.get("body"))).toEqual(
        sent.map((text) => `eq.${text}`)
      )
      expect(server.seen.map(({ url }) => new URL(url, "http://a").searchParams.get("tags"))).toEqual(
        sent.map((text) => `cs.{${/^[\w.:+-]+$/.test(text) && text.toUpperCase() !== "NULL" ? text : quoted(text)}}`)
      )
    })
  )
})
