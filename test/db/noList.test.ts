/** A 200 whose body is JSON and no list, where rows were asked for; and an answer without a number, where they were counted. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Db from "../../src/Db.js"
import { type Answer, against, failureOf, json } from "../support/httpServer.js"

/** All of it may be missing, so that an object of whoever's could be taken for a row. */
const Item = Schema.Struct({ id: Schema.optional(Schema.String), name: Schema.optional(Schema.String) })
const items = Db.table("items", Item, { search: ["name"] })
const service = Db.table("items", Item, { as: "service" })

interface Database {
  readonly public: {
    readonly Tables: {
      readonly items: {
        readonly Row: { id?: string; name?: string }
        readonly Insert: { id?: string; name?: string }
        readonly Update: { id?: string; name?: string }
        readonly Relationships: []
      }
    }
    readonly Views: Record<never, never>
    readonly Functions: Record<never, never>
  }
}
const typed = Db.typed<Database>().table("items", Item)

const long: ReadonlyArray<string> = Array.from({ length: 700 }, (_, n) => `item-${n}`)

type Asking = Effect.Effect<unknown, Db.DbError, Db.ReadDb | Db.Db>

const reading: Readonly<Record<string, Asking>> = {
  list: items.list(),
  "list with a limit": items.list({ limit: 2_000 }),
  "list of a long list of keys": items.list({ where: { id: long } }),
  search: items.search({ query: "a" }),
  page: items.page({ limit: 10 }),
  get: items.get("a"),
  "several gets at once": Effect.all([items.get("a"), items.get("b")], { concurrency: "unbounded" }),
  find: items.find("a"),
  getMany: items.getMany(["a", "b"]),
  "getMany of a long list": items.getMany(long),
  stream: Stream.runCollect(items.stream()),
  "list as the service": service.list(),
  "list of a typed table": typed.list(),
  "list of a service": Effect.flatMap(Db.ReadDb, (db) => db.table("items", Item).list()),
  "Db.stream": Stream.runCollect(Db.stream((client) => client.from("items").select("id").order("id"))),
  "updateMany without changes": items.updateMany({ name: "a" }, {})
}

const writing: Readonly<Record<string, Asking>> = {
  createMany: items.createMany([{ name: "a" }, { name: "b" }]),
  updateMany: items.updateMany({ name: "a" }, { name: "b" }),
  removeMany: items.removeMany({ name: "a" })
}

/** What comes in place of a list, and how it is told. */
const answers: Readonly<Record<string, readonly [body: string, told: RegExp]>> = {
  "an empty object": ["{}", /an empty object in place of a list/],
  "a gateway's object": ['{"ok":true,"message":"up"}', /an object of ok, message in place of a list/],
  "an object with an order to a terminal": ['{"a\\u001b[31mb":1}', /an object of a[^\p{Cc}]*b in place of a list/u],
  "a row without a list round it": ['{"id":"a","name":"b"}', /an object of id, name in place/],
  "a text": ['"maintenance"', /a text of 11 characters in place/],
  "a number": ["7", /a number in place/],
  true: ["true", /a boolean in place/],
  null: ["null", /null, or nothing at all in place/],
  nothing: ["", /null, or nothing at all in place/]
}

const saying =
  (body: string): Answer =>
  (response, { method }) => {
    response.writeHead(200, { "content-type": "application/json", "content-range": "0-9/10" })
    response.end(method === "HEAD" ? undefined : body)
  }

describe("rows that were asked for", () => {
  for (const [came, [body, told]] of Object.entries(answers)) {
    for (const [operation, asking] of Object.entries({ ...reading, ...writing })) {
      it.effect(`by ${operation} are an error that says so where ${came} comes, and never none`, () =>
        against(saying(body))(() =>
          Effect.gen(function* () {
            const error = yield* failureOf(asking)
            expect(error).toMatchObject({
              _tag: "QueryError",
              code: "NO_LIST",
              status: 200,
              isTransient: false,
              mayHaveExecuted: operation in writing
            })
            expect(error.message).toMatch(told)
            expect(error.message).toContain("rows of items were asked for")
            expect(error.message).not.toMatch(/\p{Cc}/u)
            expect(error.message).toContain(operation in writing ? "may have been executed" : "nothing was changed")
          })
        )
      )
    }
  }

  /** Rows first, and then what is none. */
  const thenNone: Answer = (response, { url }, nth) => {
    const offset = Number(new URL(url, "http://x").searchParams.get("offset") ?? 0)
    if (nth === 1) json(response, [{ id: "a" }], 200, { "content-range": `${offset}-${offset}/*` })
    else json(response, { ok: true })
  }
  for (const operation of ["list", "list with a limit", "getMany", "several gets at once", "stream"]) {
    it.effect(`by ${operation} are an error where the server gave some and then something else`, () =>
      against(thenNone)((server) =>
        Effect.gen(function* () {
          const asking = reading[operation] ?? Effect.void
          expect(yield* failureOf(asking)).toMatchObject({ _tag: "QueryError", code: "NO_LIST" })
          expect(server.seen.length).toBe(2)
        })
      )
    )
  }

  it.effect("of a transaction's steps are an error where a step gave none", () =>
    against((response) => json(response, { replayed: false, results: [null, { ok: true }] }))(() =>
      Effect.gen(function* () {
        const mixed = yield* failureOf(items.createMany([{ name: "a" }, { id: "b" }]))
        expect(mixed).toMatchObject({ _tag: "QueryError", code: "NO_LIST", mayHaveExecuted: true })
        const many = yield* failureOf(items.removeMany({ id: long }))
        expect(many).toMatchObject({ _tag: "QueryError", code: "NO_LIST", mayHaveExecuted: true })
      })
    )
  )

  it.effect("back from createMany are as many as were sent, or an error that says how many", () =>
    against((response) => json(response, [{ name: "a" }], 201))(() =>
      Effect.gen(function* () {
        const error = yield* failureOf(items.createMany([{ name: "a" }, { name: "b" }]))
        expect(error).toMatchObject({ _tag: "DecodeError", stage: "write", mayHaveExecuted: true })
        expect(error.message).toContain("2 rows were sent and 1 came back")
      })
    )
  )
})

describe("a single row", () => {
  const Strict = Schema.Struct({ id: Schema.String, name: Schema.String })
  const strict = Db.table("items", Strict)
  const single: Readonly<Record<string, Asking>> = {
    create: strict.create({ id: "a", name: "b" }),
    update: strict.update("a", { name: "b" }),
    upsert: strict.upsert({ id: "a", name: "b" }),
    remove: strict.remove("a")
  }
  for (const [operation, asking] of Object.entries(single)) {
    it.effect(`that ${operation} gives is an error of its schema where something else comes`, () =>
      Effect.forEach(["{}", '{"ok":true}', '"maintenance"', "7", "null", ""], (body) =>
        against(saying(body))(() =>
          Effect.map(failureOf(asking), (error) => {
            expect(error).toMatchObject({ _tag: "DecodeError", stage: "write", mayHaveExecuted: true })
          })
        )
      )
    )
  }
})

describe("a number of rows", () => {
  const headed =
    (range: string | undefined): Answer =>
    (response, { method }) => {
      response.writeHead(200, range === undefined ? {} : { "content-range": range })
      response.end(method === "HEAD" ? undefined : "[]")
    }
  const numbers: Readonly<Record<string, Asking>> = {
    count: items.count(),
    "count of a long list": items.count({ where: { id: long } }),
    "count as the service": service.count(),
    page: items.page({ limit: 10 })
  }
  const responses: Readonly<
    Record<string, Effect.Effect<{ readonly count?: number | null | undefined }, Db.DbError, Db.Db | Db.ReadDb>>
  > = {
    "Db.response of a HEAD": Db.response((client) => client.from("items").select("*", { count: "exact", head: true })),
    "Db.response of a GET": Db.response((client) => client.from("items").select("*", { count: "planned" })),
    "Db.response on the write pool": Db.response(
      (client) => client.from("items").select("*", { count: "estimated", head: true }),
      { pool: "write" }
    )
  }
  const counting: Readonly<Record<string, Asking>> = { ...numbers, ...responses }
  for (const range of [undefined, "*/*", "0-9/*", "0-9", "0-9/", "0-9/ten", "0-9/-1", "nonsense"]) {
    // Without the header supabase-js says null, which nobody takes for a number.
    for (const [operation, asking] of Object.entries(range === undefined ? numbers : counting)) {
      it.effect(`by ${operation} is an error where the answer says ${range ?? "nothing"}, and never 0`, () =>
        against(headed(range))(() =>
          Effect.gen(function* () {
            const error = yield* failureOf(asking)
            expect(error).toMatchObject({
              _tag: "QueryError",
              code: "NO_COUNT",
              status: 200,
              isTransient: false,
              mayHaveExecuted: false
            })
            expect(error.message).toContain(range === undefined ? "no Content-Range" : `Content-Range: ${range}`)
            expect(error.message).toContain("the rows of items were to be counted")
          })
        )
      )
    }
  }

  for (const [operation, asking] of Object.entries(responses)) {
    it.effect(`by ${operation} is null where the answer has no Content-Range`, () =>
      against(headed(undefined))(() => Effect.map(asking, ({ count }) => expect(count).toBeNull()))
    )
  }

  for (const [operation, asking] of Object.entries(counting)) {
    it.effect(`by ${operation} is an error where the table is missing`, () =>
      against((response) => {
        response.writeHead(404, { "proxy-status": "PostgREST; error=PGRST205" })
        response.end()
      })(() =>
        Effect.gen(function* () {
          expect(yield* failureOf(asking)).toMatchObject({ _tag: "QueryError", code: "PGRST205", status: 404 })
        })
      )
    )
  }

  it.effect("is the server's, 0 among them, however large", () =>
    Effect.forEach([0, 1, 1_000, 3_573_458], (total) =>
      against(headed(`*/${total}`))(() =>
        Effect.gen(function* () {
          expect(yield* items.count()).toBe(total)
          expect((yield* items.page({ limit: 1 })).total).toBe(total)
          const { count } = yield* Db.response((client) =>
            client.from("items").select("*", { count: "exact", head: true })
          )
          expect(count).toBe(total)
        })
      )
    )
  )

  it.effect("that nobody asked for is null", () =>
    against(headed("*/*"))(() =>
      Effect.map(
        Db.response((client) => client.from("items").select("*")),
        ({ count, data }) => expect([count, data]).toEqual([null, []])
      )
    )
  )
})
