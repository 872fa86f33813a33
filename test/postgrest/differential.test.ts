/**
 * The embedded database against plain SQL on the same rows: random filters, orders, pages, embedded rows and writes. The
 * address is written as PostgREST's documentation says (tables and views, operators, logic), the SQL beside it by hand.
 */
import { expect, layer } from "@effect/vitest"
import { Context, Effect, FastCheck as fc, Layer, Redacted, Schema } from "effect"
import { Embedded, type EmbeddedDatabase } from "../../src/embedded.js"

const columns = {
  t: "text",
  n: "integer",
  b: "bigint",
  d: "numeric",
  z: "timestamptz",
  w: "timestamp",
  y: "date",
  k: "bytea",
  j: "jsonb",
  u: "uuid",
  f: "boolean",
  ts: "text[]",
  ns: "integer[]"
} as const

type Column = keyof typeof columns

const words = [
  "a",
  "ab",
  "B",
  ",",
  '"',
  "{",
  "}",
  "\\",
  "(",
  ")",
  "%",
  "_",
  "*",
  "'",
  " ",
  ".",
  "null",
  "true",
  "1e3",
  "😀"
]

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`

const text = fc.array(fc.constantFrom(...words), { maxLength: 4 }).map((parts) => parts.join(""))

const whole = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2_147_483_647, -2_147_483_648)).map(String)

const arrayOf = (values: ReadonlyArray<string>): string =>
  `{${values.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`

const json: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("1.0", "12345678901234567890.10", "null", "true", "[]", "{}", '{"a": 1}', '{"a": {"b": "x"}}'),
  text.map((value) => JSON.stringify({ a: value })),
  fc.array(text, { maxLength: 2 }).map((values) => JSON.stringify(values))
)

/** A text that PostgreSQL reads as a value of the column. */
const values: { readonly [of in Column]: fc.Arbitrary<string> } = {
  t: text,
  n: whole,
  b: fc.constantFrom("0", "1", "9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775808"),
  d: fc.constantFrom("0", "0.10", "19.90", "1e3", "12345678901234567890.123456789", "NaN", "-0.5"),
  z: fc.constantFrom("2024-01-02T03:04:05.123456Z", "2024-01-02 03:04:05+02", "2024-07-01T00:00:00-07:00"),
  w: fc.constantFrom("2024-01-02T03:04:05.123456", "2024-07-01 00:00:00"),
  y: fc.constantFrom("2024-01-02", "1999-12-31", "infinity"),
  k: fc.constantFrom("\\x", "\\xdeadbeef", "\\x00"),
  j: json,
  u: fc.constantFrom("10000000-0000-4000-8000-000000000012", "20000000-0000-4000-8000-00000000000A"),
  f: fc.constantFrom("true", "false"),
  ts: fc.array(text, { maxLength: 3 }).map(arrayOf),
  ns: fc.array(whole, { maxLength: 3 }).map((all) => `{${all.join(",")}}`)
}

/** A condition, said twice. */
interface Said {
  /** What stands behind the name of a column, where the value reaches to the end. */
  readonly alone: string
  /** In a list of conditions, with the column. */
  readonly listed: string
  readonly column: string
  readonly sql: string
}

const listed = (value: string): string => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`

const said = (column: string, operator: string, value: string, sql: string): Said => ({
  column,
  alone: `${operator}.${value}`,
  listed: `${column}.${operator}.${listed(value)}`,
  sql
})

const comparisons = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  isdistinct: "is distinct from"
} as const

const comparable = fc.constantFrom<Column>("t", "n", "b", "d", "z", "w", "y", "k", "u", "f", "ts", "ns", "j")

const columnAnd = <A>(column: fc.Arbitrary<Column>, made: (column: Column, value: string) => A): fc.Arbitrary<A> =>
  column.chain((name) => values[name].map((value) => made(name, value)))

const comparison: fc.Arbitrary<Said> = fc
  .constantFrom<keyof typeof comparisons>("eq", "neq", "gt", "gte", "lt", "lte", "isdistinct")
  .chain((word) =>
    columnAnd(comparable, (column, value) =>
      said(column, word, value, `${column} ${comparisons[word]} ${quote(value)}`)
    )
  )

const pattern: fc.Arbitrary<Said> = fc.tuple(fc.constantFrom("like", "ilike"), text).map(([word, value]) => {
  // A backslash at the end of a pattern is an error of SQL's own.
  const wanted = value.replaceAll("\\", "")
  return said("t", word, wanted, `t ${word} ${quote(wanted.replaceAll("*", "%"))}`)
})

const quantified: fc.Arbitrary<Said> = fc
  .tuple(fc.constantFrom("any", "all"), fc.array(text, { maxLength: 2 }).map(arrayOf))
  .map(([word, value]) => said("t", `eq(${word})`, value, `t = ${word} (${quote(value)})`))

const list: fc.Arbitrary<Said> = fc
  .constantFrom<Column>("t", "n", "b", "u", "d")
  .chain((column) => fc.array(values[column], { maxLength: 3 }).map((all) => [column, all] as const))
  .map(([column, all]) => {
    const written = `(${all.map(listed).join(",")})`
    const sql = all.length === 0 ? "false" : `${column} in (${all.map(quote).join(", ")})`
    // Nothing is in an empty list, not even null: `null in ()` is no SQL.
    return { column, alone: `in.${written}`, listed: `${column}.in.${written}`, sql }
  })

const truth: fc.Arbitrary<Said> = fc
  .oneof(
    fc.tuple(fc.constantFrom("t", "n", "ts", "j", "f"), fc.constantFrom("null", "not_null")),
    fc.tuple(fc.constant("f"), fc.constantFrom("true", "false", "unknown"))
  )
  .map(([column, word]) => ({
    column,
    alone: `is.${word}`,
    listed: `${column}.is.${word}`,
    sql: `${column} is ${word.replace("_", " ")}`
  }))

const containment: fc.Arbitrary<Said> = fc
  .tuple(fc.constantFrom(["cs", "@>"], ["cd", "<@"], ["ov", "&&"]), fc.constantFrom<Column>("ts", "ns", "j"))
  .filter(([[word], column]) => word !== "ov" || column !== "j")
  .chain(([[word = "", operator = ""], column]) =>
    values[column].map((value) => said(column, word, value, `${column} ${operator} ${quote(value)}`))
  )

const search: fc.Arbitrary<Said> = fc
  .tuple(
    fc.constantFrom(["plfts", "plainto_tsquery"], ["phfts", "phraseto_tsquery"], ["wfts", "websearch_to_tsquery"]),
    fc.constantFrom("", "english", "simple"),
    text
  )
  .map(([[word = "", call = ""], config, value]) => {
    const first = config === "" ? "" : `${quote(config)}, `
    const sql = `to_tsvector(${first}t) @@ ${call}(${first}${quote(value)})`
    return said("t", config === "" ? word : `${word}(${config})`, value, sql)
  })

const inJson: fc.Arbitrary<Said> = fc
  .tuple(fc.constantFrom("a", "b"), text)
  .map(([key, value]) => said(`j->>${key}`, "eq", value, `j->>${quote(key)} = ${quote(value)}`))

const positive = fc.oneof(comparison, pattern, quantified, list, truth, containment, search, inJson)

const condition: fc.Arbitrary<Said> = fc.tuple(positive, fc.boolean()).map(([one, negated]) =>
  negated
    ? {
        column: one.column,
        alone: `not.${one.alone}`,
        listed: one.listed.replace(`${one.column}.`, `${one.column}.not.`),
        sql: `not (${one.sql})`
      }
    : one
)

interface Asked {
  readonly parameter: readonly [string, string]
  readonly sql: string
}

const group: fc.Arbitrary<Asked> = fc
  .tuple(fc.constantFrom("and", "or"), fc.boolean(), fc.array(condition, { minLength: 1, maxLength: 3 }), condition)
  .map(([word, negated, all, last]) => {
    const inner = `not.or(${last.listed},${last.listed})`
    const key = negated ? `not.${word}` : word
    const parts = [...all.map(({ sql }) => `(${sql})`), `not ((${last.sql}) or (${last.sql}))`]
    return {
      parameter: [key, `(${[...all.map((one) => one.listed), inner].join(",")})`],
      sql: `${negated ? "not " : ""}(${parts.join(` ${word} `)})`
    }
  })

const asked: fc.Arbitrary<ReadonlyArray<Asked>> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: condition.map(({ alone, column, sql }): Asked => ({ parameter: [column, alone], sql })) },
    { weight: 1, arbitrary: group }
  ),
  { maxLength: 4 }
)

const where = (all: ReadonlyArray<Asked>): string => all.map(({ sql }) => `(${sql})`).join(" and ") || "true"

const row = fc.record({
  ...values,
  ts: fc.array(text, { maxLength: 3 }),
  ns: fc.array(whole, { maxLength: 3 })
})

const schema = `
  create table public.many (id integer primary key, ${Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ")});
  create table public.kids (id integer primary key, many_id integer references public.many, t text, b bigint);
  create table public.kept (id integer primary key, ${Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ")});
  create function public.plain(sql text) returns text language plpgsql as $$
  declare answer text;
  begin
    execute 'select coalesce(json_agg(asked), ''[]'')::text from (' || sql || ') as asked' into answer;
    return answer;
  end $$;
  create function public.run(sql text) returns void language plpgsql as $$ begin execute sql; end $$;
`

class Database extends Context.Tag("test/Differential")<Database, EmbeddedDatabase>() {
  static readonly Live = Layer.orDie(Layer.scoped(Database, Embedded.make({ migrations: [schema] })))
}

interface Answer {
  readonly status: number
  readonly range: string | null
  readonly text: string
}

const ask = (path: string, init: { method?: string; body?: string; prefer?: string } = {}) =>
  Effect.flatMap(Database, ({ serviceRoleKey, url }) =>
    Effect.promise(async (): Promise<Answer> => {
      const key = Redacted.value(serviceRoleKey)
      const response = await fetch(`${url}/rest/v1/${path}`, {
        method: init.method ?? "GET",
        headers: { apikey: key, "content-type": "application/json", prefer: init.prefer ?? "" },
        ...(init.body === undefined ? {} : { body: init.body })
      })
      return { status: response.status, range: response.headers.get("content-range"), text: await response.text() }
    })
  )

const ids = Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Schema.Struct({ id: Schema.Int }))))

const decodeText = Schema.decodeUnknownSync(Schema.parseJson(Schema.String))

/** The rows that SQL gives, as PostgreSQL writes them. */
const plain = (sql: string) =>
  Effect.map(ask("rpc/plain", { method: "POST", body: JSON.stringify({ sql }) }), ({ status, text }) => {
    expect(status, text).toBe(200)
    return decodeText(text)
  })

const run = (sql: string) => ask("rpc/run", { method: "POST", body: JSON.stringify({ sql }) })

const query = (parameters: ReadonlyArray<readonly [string, string]>): string =>
  parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&")

const sqlRow = (id: number, values: Readonly<Record<string, unknown>>): string =>
  `(${[String(id), ...Object.keys(columns).map((name) => sqlValue(name, values[name]))].join(", ")})`

const sqlValue = (name: string, value: unknown): string => {
  if (value === null || value === undefined) return "null"
  if (name === "ts" && Array.isArray(value)) return `${quote(arrayOf(value))}::text[]`
  return quote(Array.isArray(value) ? `{${value.join(",")}}` : String(value))
}

const filled = Effect.gen(function* () {
  const nullable = fc.record(
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fc.option(value, { freq: 5 })]))
  )
  const rows = fc.sample(nullable, { numRuns: 60, seed: 18 })
  const made = rows.map((one, id) => sqlRow(id, one)).join(",\n")
  const answer = yield* run(`insert into many values ${made}`)
  expect(answer.status, answer.text).toBe(204)
  const kids = Array.from(
    { length: 90 },
    (_, id) =>
      `(${id}, ${id % 7 === 0 ? "null" : (id * 7) % 40}, ${quote(words[id % words.length] ?? "")}, ${id}9007199254740993)`
  )
  yield* run(
    `insert into kids values ${kids.join(", ").replaceAll(/(\d+)9007199254740993/g, "9007199254740$1::bigint")}`
  )
})

const property = <A>(
  arbitrary: fc.Arbitrary<A>,
  runs: number,
  check: (value: A) => Effect.Effect<void, never, Database>
) =>
  Effect.flatMap(Effect.runtime<Database>(), (runtime) =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(arbitrary, (value) => Effect.runPromise(Effect.provide(check(value), runtime))),
        { numRuns: runs, ...(process.env["FUZZ_SEED"] === undefined ? {} : { seed: Number(process.env["FUZZ_SEED"]) }) }
      )
    )
  )

const share = Number(process.env["FUZZ_SHARE"] ?? 1)

/** A machine that does much else at the same time takes its time. */
const patience = { timeout: 120_000 * share }

layer(Database.Live, { timeout: "2 minutes" })("the embedded database beside plain SQL", (it) => {
  it.effect(
    "finds the rows that SQL finds, and gives them as PostgreSQL writes them",
    () =>
      Effect.gen(function* () {
        yield* filled
        yield* property(asked, 150 * share, (all) =>
          Effect.gen(function* () {
            const path = `many?${query([...all.map(({ parameter }) => parameter), ["order", "id"]])}`
            const answer = yield* ask(path)
            expect(answer.status, `${path}\n${answer.text}`).toBe(200)
            const expected = yield* plain(`select * from many where ${where(all)} order by id`)
            expect(answer.text, path).toBe(expected)
          })
        )
      }),
    patience
  )

  const order = fc
    .uniqueArray(
      fc.tuple(
        fc.constantFrom("t", "n", "b", "d", "z", "ts"),
        fc.constantFrom("", "asc", "desc"),
        fc.constantFrom("", "nullsfirst", "nullslast")
      ),
      { maxLength: 2, selector: ([name]) => name }
    )
    .map((terms) => ({
      text: [...terms.map((term) => term.filter((part) => part !== "").join(".")), "id"].join(","),
      sql: [...terms.map(([name, way, nulls]) => `${name} ${way} ${nulls.replace("nulls", "nulls ")}`), "id"].join(", ")
    }))

  const page = fc.record({ limit: fc.option(fc.nat({ max: 20 })), offset: fc.nat({ max: 50 }), count: fc.boolean() })

  it.effect(
    "orders and pages as SQL does, and counts what it left out",
    () =>
      property(fc.tuple(asked, order, page), 100 * share, ([all, by, { count, limit, offset }]) =>
        Effect.gen(function* () {
          const parameters: ReadonlyArray<readonly [string, string]> = [
            ["select", "id,t"],
            ...all.map(({ parameter }) => parameter),
            ["order", by.text],
            ["offset", String(offset)],
            ...(limit === null ? [] : [["limit", String(limit)] as const])
          ]
          const path = `many?${query(parameters)}`
          const answer = yield* ask(path, count ? { prefer: "count=exact" } : {})
          const total = ids(yield* plain(`select id from many where ${where(all)}`)).length
          if (count && offset > total) {
            expect([answer.status, answer.range]).toEqual([416, `*/${total}`])
            return
          }
          const expected = yield* plain(
            `select id, t from many where ${where(all)} order by ${by.sql} limit ${limit ?? "all"} offset ${offset}`
          )
          expect(answer.text, path).toBe(expected)
          const got = ids(answer.text).length
          const range = got === 0 ? "*" : `${offset}-${offset + got - 1}`
          expect(answer.range).toBe(`${range}/${count ? total : "*"}`)
          expect(answer.status).toBe(count && got < total ? 206 : 200)
        })
      ),
    patience
  )

  const kidCondition = condition.filter(({ column }) => column === "t" || column === "b")

  it.effect(
    "embeds the rows that SQL joins",
    () =>
      property(
        fc.tuple(asked, fc.array(kidCondition, { maxLength: 2 }), fc.boolean()),
        80 * share,
        ([all, kid, inner]) =>
          Effect.gen(function* () {
            const parameters: ReadonlyArray<readonly [string, string]> = [
              ["select", `id,kids${inner ? "!inner" : ""}(id,b,many(n))`],
              ...all.map(({ parameter }) => parameter),
              ...kid.map(({ alone, column }) => [`kids.${column}`, alone] as const),
              ["order", "id"],
              ["kids.order", "id.desc"]
            ]
            const path = `many?${query(parameters)}`
            const answer = yield* ask(path)
            const joined = `from kids where many_id = many_.id and ${kid.map(({ sql }) => `(${sql})`).join(" and ") || "true"}`
            const expected = yield* plain(
              `select id, (select coalesce(json_agg(kid_row), '[]'::json) from (
             select id, b, (select row_to_json(m) from (select n from many where id = kids.many_id) as m) as many
             ${joined} order by id desc) as kid_row) as kids
           from (select * from many where ${where(all)}) as many_
           where ${inner ? `exists (select ${joined})` : "true"} order by id`
            )
            expect(answer.status, `${path}\n${answer.text}`).toBe(200)
            expect(answer.text, path).toBe(expected)
          })
      ),
    patience
  )

  it.effect(
    "changes and removes the rows that SQL would",
    () =>
      property(fc.tuple(asked, fc.boolean()), 60 * share, ([all, removes]) =>
        Effect.gen(function* () {
          yield* run("truncate kept; insert into kept select * from many")
          const parameters = query(all.map(({ parameter }) => parameter))
          const expected = yield* plain(`select id from kept where ${where(all)}`)
          const left = yield* plain(`select id from kept where (${where(all)}) is not true order by id`)
          const answer = yield* ask(`kept?select=id&${parameters}`, {
            method: removes ? "DELETE" : "PATCH",
            prefer: "return=representation",
            ...(removes ? {} : { body: '{"u":"30000000-0000-4000-8000-000000000000"}' })
          })
          expect(answer.text, parameters).toBe(expected)
          const mark = "u = '30000000-0000-4000-8000-000000000000'"
          const after = removes ? "true" : `(${mark}) is not true`
          expect(yield* plain(`select id from kept where ${after} order by id`)).toBe(left)
        })
      ),
    patience
  )

  it.effect(
    "stores what was sent, to the last digit and character",
    () =>
      property(fc.array(row, { minLength: 1, maxLength: 3 }), 60 * share, (rows) =>
        Effect.gen(function* () {
          yield* run("truncate kept")
          const body = `[${rows
            .map((one, id) => {
              const { d, j, ns, ...rest } = one
              const plainly = JSON.stringify({ id, ...rest, d, j: 0, ns: 0 })
              return plainly.replace('"j":0', () => `"j":${j}`).replace('"ns":0', () => `"ns":[${ns.join(",")}]`)
            })
            .join(",")}]`
          const answer = yield* ask("kept", { method: "POST", body, prefer: "return=representation" })
          expect(answer.status, answer.text).toBe(201)
          const sql = rows.map((one, id) => sqlRow(id, { ...one, j: one.j === "null" ? null : one.j })).join(", ")
          const shape = Object.entries(columns).map(([name, type]) => `${name}::${type}`)
          const names = ["id", ...Object.keys(columns)].join(", ")
          const expected = yield* plain(`select id, ${shape.join(", ")} from (values ${sql}) as given (${names})`)
          expect(answer.text).toBe(expected)
          expect(yield* plain("select * from kept order by id")).toBe(expected)
        })
      ),
    patience
  )
})
