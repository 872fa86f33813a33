/**
 * What a filter is compared with arrives as it was given: for random rows and values the builder, `Db.table`, a write, a
 * transaction and plain SQL find the same. What has no form is refused with a reason.
 */
import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, FastCheck as fc, Layer, Redacted, Schema, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import { Embedded, type EmbeddedOptions } from "../../src/embedded.js"
import { miniPostgrest } from "../support/miniPostgrest.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { newMigration } from "../support/scratch.js"

const setUp = `
  create table if not exists found (id int primary key, word text, tags text[], data jsonb, at timestamptz, seen int default 0);
  truncate found;
`

/** Where the rows are, and who finds them there. */
interface Ground {
  readonly layer: Layer.Layer<Db.Provided>
  /** Puts these rows, a list in JSON, in the place of those that were there. */
  readonly fill: (rows: string) => Promise<unknown>
  /** The ids that SQL finds, by a condition on the value `$1`. */
  readonly meant: (condition: string, value: unknown) => Promise<unknown>
}

const filling =
  "insert into found (id, word, tags, data) select id, word, tags, data from json_populate_recordset(null::found,"

const minimal: Effect.Effect<Ground, never, PostgresUrl | Scope.Scope> = Effect.map(
  miniPostgrest(setUp),
  ({ layer, sql }) => ({
    layer,
    fill: async (rows) => {
      await sql`truncate found`
      await sql.unsafe(`${filling} $1::text::json)`, [rows])
    },
    meant: (condition, value) => sql.unsafe(`select id from found where ${condition}`, [value as string])
  })
)

const plainSql = `
  create function fill(list json) returns void language plpgsql as $$
    begin truncate found; ${filling} list); end $$;
  create function meant_by_text(condition text, value text) returns setof found language plpgsql as $$
    begin return query execute 'select * from found where ' || condition using value; end $$;
  create function meant_by_list(condition text, value text[]) returns setof found language plpgsql as $$
    begin return query execute 'select * from found where ' || condition using value; end $$;
`

const embedded = (options: EmbeddedOptions = {}): Effect.Effect<Ground, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { anonKey, serviceRoleKey, url } = yield* Embedded.make({
      ...options,
      migrations: [yield* newMigration, setUp, plainSql]
    })
    const apikey = Redacted.value(serviceRoleKey)
    const call = async (name: string, args: object): Promise<unknown> => {
      const headers = { apikey, "content-type": "application/json" }
      const answer = await fetch(`${url}/rest/v1/rpc/${name}`, { method: "POST", headers, body: JSON.stringify(args) })
      const text = await answer.text()
      expect(answer.ok, text).toBe(true)
      return text === "" ? undefined : JSON.parse(text)
    }
    return {
      layer: Layer.orDie(
        Db.layerOf({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 4, enableHealthChecks: false })
      ),
      fill: (rows: string) => call("fill", { list: JSON.parse(rows) }),
      meant: (condition: string, value: unknown) =>
        call(`meant_by_${Array.isArray(value) ? "list" : "text"}`, { condition, value })
    }
  }).pipe(Effect.orDie)

const Found = Schema.Struct({
  id: Schema.Int,
  word: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String),
  data: Schema.Struct({ k: Schema.String })
})

const found = Db.table("found", Found)

type Query = ReturnType<ReturnType<typeof selected>>

const selected = (client: SupabaseClient) => () => client.from("found").select("id")

type Filtered = Pick<
  Query,
  | "eq"
  | "neq"
  | "gt"
  | "match"
  | "in"
  | "notIn"
  | "not"
  | "filter"
  | "contains"
  | "containedBy"
  | "overlaps"
  | "likeAnyOf"
  | "likeAllOf"
  | "ilikeAnyOf"
  | "ilikeAllOf"
>

type Answer = PromiseLike<{ readonly error: null; readonly status: number; readonly data: unknown }>

/** One question, in the words of each who is asked. */
interface Question {
  readonly builder: (query: Filtered) => unknown
  readonly sql: string
  /** `$1` in it. */
  readonly value: string | ReadonlyArray<string>
  readonly where?: Parameters<typeof found.list>[0] extends infer O
    ? O extends { readonly where?: infer W }
      ? W
      : never
    : never
}

/** A pattern for texts that have this in them. */
const holding = (text: string): string => `%${text.replace(/[\\%_]/g, "\\$&")}%`

const questions: Readonly<Record<string, (words: ReadonlyArray<string>) => Question>> = {
  eq: ([word = ""]) => ({ builder: (q) => q.eq("word", word), sql: "word = $1", value: word, where: { word } }),
  neq: ([word = ""]) => ({
    builder: (q) => q.neq("word", word),
    sql: "word <> $1",
    value: word,
    where: { word: Db.neq(word) }
  }),
  gt: ([word = ""]) => ({
    builder: (q) => q.gt("word", word),
    sql: "word > $1",
    value: word,
    where: { word: Db.gt(word) }
  }),
  match: ([word = ""]) => ({ builder: (q) => q.match({ word }), sql: "word = $1", value: word, where: { word } }),
  "eq of a list": (words) => ({ builder: (q) => q.eq("tags", words), sql: "tags = $1::text[]", value: words }),
  in: (words) => ({
    builder: (q) => q.in("word", words),
    sql: "word = any ($1::text[])",
    value: words,
    where: { word: words }
  }),
  notIn: (words) => ({ builder: (q) => q.notIn("word", words), sql: "word <> all ($1::text[])", value: words }),
  "not in": (words) => ({
    builder: (q) => q.not("word", "in", words),
    sql: "word <> all ($1::text[])",
    value: words
  }),
  "filter in": (words) => ({
    builder: (q) => q.filter("word", "in", words),
    sql: "word = any ($1::text[])",
    value: words,
    where: { word: words }
  }),
  contains: (words) => ({
    builder: (q) => q.contains("tags", words),
    sql: "tags @> $1::text[]",
    value: words,
    where: { tags: Db.contains(words) }
  }),
  "not contains": (words) => ({
    builder: (q) => q.not("tags", "cs", words),
    sql: "not tags @> $1::text[]",
    value: words
  }),
  containedBy: (words) => ({
    builder: (q) => q.containedBy("tags", words),
    sql: "tags <@ $1::text[]",
    value: words,
    where: { tags: Db.containedBy(words) }
  }),
  overlaps: (words) => ({
    builder: (q) => q.overlaps("tags", words),
    sql: "tags && $1::text[]",
    value: words,
    where: { tags: Db.overlaps(words) }
  }),
  "contains of an object": ([k = ""]) => ({
    builder: (q) => q.contains("data", { k }),
    sql: "data @> jsonb_build_object('k', $1::text)",
    value: k,
    where: { data: Db.contains({ k }) }
  }),
  likeAnyOf: (words) => ({
    builder: (q) => q.likeAnyOf("word", words.map(holding)),
    sql: "word like any ($1::text[])",
    value: words.map(holding)
  }),
  likeAllOf: (words) => ({
    builder: (q) => q.likeAllOf("word", words.map(holding)),
    sql: "word like all ($1::text[])",
    value: words.map(holding)
  }),
  ilikeAnyOf: (words) => ({
    builder: (q) => q.ilikeAnyOf("word", words.map(holding)),
    sql: "word ilike any ($1::text[])",
    value: words.map(holding)
  }),
  "not ilike(all)": (words) => ({
    builder: (q) => q.not("word", "ilike(all)", words.map(holding)),
    sql: "not word ilike all ($1::text[])",
    value: words.map(holding)
  })
}

const hard = [
  "",
  " ",
  "NULL",
  "null",
  "true",
  "1.0",
  "1e3",
  "a,b",
  '"',
  '"a"',
  "\\",
  "\\\\",
  "{}",
  "{a}",
  "(x)",
  "a.b",
  "é😀"
]

/** PostgREST's `*` is a `%` in a pattern. */
const word = fc.oneof(
  fc.constantFrom(...hard),
  fc
    .array(fc.constantFrom(",", '"', "{", "}", "\\", "(", ")", ".", ":", "'", " ", "%", "_", "a", "B", "\n"), {
      maxLength: 6
    })
    .map((signs) => signs.join("")),
  fc.string({ maxLength: 5, unit: "grapheme" }).filter((text) => !/[\0*]/.test(text))
)

const words = fc.array(word, { minLength: 1, maxLength: 4 })

const rowOf = fc.record({ word: fc.option(word), tags: fc.array(word, { maxLength: 3 }), k: word })

const asked = fc
  .tuple(fc.array(rowOf, { minLength: 1, maxLength: 6, size: "max" }), words, fc.infiniteStream(fc.nat()))
  .map(([rows, others, choice]) => {
    // Values that some row has, and others.
    const there = rows.flatMap(({ k, tags, word }) => [...tags, k, ...(word === null ? [] : [word])])
    const wanted = others.map((other) => there[Number(choice.next().value) % (2 * there.length)] ?? other)
    return { rows, wanted }
  })

const idsOf = (rows: unknown): ReadonlyArray<unknown> =>
  Array.isArray(rows) ? rows.map((row) => row.id).toSorted((a, b) => a - b) : [rows]

const differential = (
  { fill, layer, meant }: Ground,
  name: string,
  question: (words: ReadonlyArray<string>) => Question
) =>
  Effect.flatMap(Effect.runtime<Db.Db | Db.ReadDb>(), (runtime) =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(asked, async ({ rows, wanted }) => {
          const list = rows.map(({ k, tags, word }, id) => ({ id, word, tags, data: { k } }))
          await fill(JSON.stringify(list))
          const { builder, sql: condition, value, where } = question(wanted)
          const rowsOf = (query: unknown) => query as Answer
          const expected = idsOf(await meant(condition, value))
          const given = await Effect.runPromise(
            Effect.provide(
              Effect.all({
                builder: Db.read((client) => rowsOf(builder(client.from("found").select("id") as never))),
                transaction: Effect.map(
                  Db.transaction([(client) => rowsOf(builder(client.from("found").select("id") as never))]),
                  ([rows]) => rows
                ),
                write: Db.write((client) =>
                  rowsOf(builder(client.from("found").update({ seen: 1 }).select("id") as never))
                ),
                ...(where === undefined
                  ? {}
                  : {
                      table: found.list({ where }),
                      step: Effect.map(Db.transaction([found.listStep({ where })]), ([rows]) => rows)
                    })
              }),
              runtime
            )
          )
          for (const [way, rows] of Object.entries(given))
            expect([name, way, wanted, idsOf(rows)]).toEqual([name, way, wanted, expected])
        }),
        { numRuns: 25 }
      )
    )
  ).pipe(Effect.provide(layer))

const finds = <R>(ground: Effect.Effect<Ground, never, R>) =>
  Effect.flatMap(ground, (there) =>
    Effect.forEach(Object.entries(questions), ([name, question]) => differential(there, name, question))
  )

const allWays = "finds what SQL finds, by the builder, a table, a write and in a transaction"

describePostgres("a filter", () => {
  it.scopedLive(allWays, () => finds(minimal).pipe(Effect.provide(PostgresUrl.Live)), 240_000)

  it.scopedLive(
    `of the embedded database on a server ${allWays}`,
    () =>
      PostgresUrl.pipe(
        Effect.flatMap((postgres) => finds(embedded({ postgres }))),
        Effect.provide(PostgresUrl.Live)
      ),
    240_000
  )
})

describe("a filter of the embedded database", () => {
  it.scopedLive(allWays, () => finds(embedded()), 240_000)
})

describe("what a filter is compared with", () => {
  const sentBy = (ask: (query: Filtered) => unknown) =>
    Effect.gen(function* () {
      const sent: Array<string> = []
      const layer = Db.layerTest((request) => {
        sent.push(decodeURIComponent(new URL(request.url).search.replaceAll("+", " ")))
        return Response.json([])
      })
      const asking = Db.read((client) => ask(client.from("t").select() as never) as Answer)
      return { sent, end: yield* Effect.either(Effect.provide(asking, layer)) }
    })

  const date = new Date("2026-02-03T04:05:06.789Z")

  const forms: ReadonlyArray<readonly [form: string, ask: (query: Filtered) => unknown]> = [
    ["a=eq.2026-02-03T04:05:06.789Z", (q) => q.eq("a", date)],
    ["a=in.(2026-02-03T04:05:06.789Z)", (q) => q.in("a", [date, date])],
    ["a=eq.\\x00ff", (q) => q.eq("a", Uint8Array.of(0, 255))],
    ['a=eq.{"k":1}', (q) => q.eq("a", { k: 1 })],
    ["a=eq.{1,NULL}", (q) => q.eq("a", [1, null])],
    ["a=in.()", (q) => q.in("a", [])],
    ['a=in.("","")', (q) => q.in("a", [""])],
    ["a=in.(1,true,1.5)", (q) => q.in("a", [1, true, 1.5, 1])],
    ['a=cs.[{"k":"a,b"}]', (q) => q.contains("a", [{ k: "a,b" }])],
    ['a=cs.{"NULL",NULL}', (q) => q.contains("a", ["NULL", null])],
    ["a=cs.[1,2)", (q) => q.contains("a", "[1,2)")],
    ["a=not.in.(1,2)", (q) => q.not("a", "in", "(1,2)")],
    ["a=not.is.null", (q) => q.not("a", "is", null)],
    ["a=is.null", (q) => q.filter("a", "is", null)],
    ["a=eq.x&b=eq.true", (q) => q.match({ a: "x", b: true })]
  ]
  it.effect.each(forms)("is sent as %s", ([form, ask]) =>
    Effect.map(sentBy(ask), ({ sent }) => expect(sent).toEqual([`?select=*&${form}`]))
  )

  const refusals: ReadonlyArray<readonly [name: string, ask: (query: Filtered) => unknown, words: string]> = [
    ["null", (q) => q.eq("a", null as never), 'eq("a") cannot be sent: it is compared with null'],
    ["null by not", (q) => q.not("a", "eq", null), 'not("a") cannot be sent: it is compared with null'],
    ["null in a list", (q) => q.in("a", ["x", null]), 'in("a") cannot be sent: its list has null'],
    ["null in a match", (q) => q.match({ a: "x", b: null }), "match cannot be sent: it is compared with null"],
    ["null in patterns", (q) => q.likeAnyOf("a", [null as never]), "its list has null"],
    ["no date", (q) => q.eq("a", new Date(Number.NaN)), "an invalid Date is no value"],
    ["a function", (q) => q.in("a", [() => 1]), "a function has no form"]
  ]
  it.effect.each(refusals)("is refused where it is %s", ([, ask, words]) =>
    Effect.map(sentBy(ask), ({ end, sent }) => {
      expect(sent).toEqual([])
      expect(end).toMatchObject({ _tag: "Left", left: { code: "INVALID_REQUEST" } })
      if (end._tag === "Left") expect(end.left.message).toContain(words)
    })
  )
})
