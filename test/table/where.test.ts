/** `where` finds the rows that it says, as a predicate over the same rows would. */
import { assert, layer } from "@effect/vitest"
import { BigDecimal, Effect, Either, FastCheck as fc, Layer, Option, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { Columns } from "../../src/internal/table/columns.js"
import { chosen } from "../../src/internal/table/query.js"
import { SharedSupabase } from "../support/embedded.js"
import { failureOf } from "../support/httpServer.js"

const Kind = Schema.Struct({
  id: Schema.UUID,
  batch: Schema.String,
  label: Schema.OptionFromNullOr(Schema.String),
  n: Schema.NullOr(Schema.Int),
  price: Schema.NullOr(Schema.BigDecimal),
  serial: Schema.NullOr(Schema.BigInt),
  done: Schema.NullOr(Schema.Boolean),
  at: Schema.NullOr(Schema.Date),
  tags: Schema.NullOr(Schema.Array(Schema.String)),
  data: Schema.Unknown
})
type Kind = typeof Kind.Type

const options = {
  as: "service",
  generated: ["id", "label", "n", "price", "serial", "done", "at", "tags", "data"],
  cast: { price: "text", serial: "text" }
} as const
const kinds = Db.table("where_kinds", Kind, options)
const columns = new Columns("where_kinds", Kind, { key: "id", search: [], generated: [], cast: options.cast })

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4 }))
)

const mark = (): string => `w${crypto.randomUUID()}`

// -------------------------------------------------------------------------------------
// the model
// -------------------------------------------------------------------------------------

type Column = "label" | "n" | "price" | "serial" | "done" | "at" | "tags"

/** A value as it is compared: a number, a text, a list, or null. */
type Plain = string | number | bigint | boolean | ReadonlyArray<string> | null

/** A condition, for `where` and for the model. */
interface Asked {
  readonly where: unknown
  readonly holds: (value: Plain) => boolean
}

const texts = ["a", "b", "A", " ", ",", '"', "\\", "(", ")", "{", "}", "%", "*", "_", ".", ":", "é", "'", "&", "=", "#"]
const words = [
  "null",
  "NULL",
  "true",
  "not_null",
  "unknown",
  "1",
  "1.0",
  "1e3",
  "007",
  "+5",
  "eq.1",
  "(1,2)",
  "{a}",
  ""
]

const text = fc.oneof(
  fc.array(fc.constantFrom(...texts), { maxLength: 4 }).map((parts) => parts.join("")),
  fc.constantFrom(...words)
)

const price = fc.tuple(fc.bigInt(-999n, 999n), fc.constantFrom(0, 1, 2)).map(([n, scale]) => BigDecimal.make(n, scale))

/** Beyond what a number can tell apart. */
const serial = fc.bigInt(9_007_199_254_740_990n, 9_007_199_254_740_999n)

const tags = fc.array(fc.constantFrom("red", "a,b", 'q"', "back\\", "{x}", "null", ""), { maxLength: 3 })

/** The schema's own values, and what the model makes of one. */
const domains: Readonly<
  Record<Column, { readonly values: fc.Arbitrary<unknown>; readonly plain: (u: unknown) => Plain }>
> = {
  label: {
    values: text.map(Option.some),
    plain: (u) => (Option.isOption(u) && Option.isSome(u) ? String(u.value) : null)
  },
  n: { values: fc.integer({ min: -3, max: 12 }), plain: (u) => (typeof u === "number" ? u : null) },
  price: { values: price, plain: (u) => (BigDecimal.isBigDecimal(u) ? BigDecimal.unsafeToNumber(u) : null) },
  serial: { values: serial, plain: (u) => (typeof u === "bigint" ? u : null) },
  done: { values: fc.boolean(), plain: (u) => (typeof u === "boolean" ? u : null) },
  at: {
    values: fc.integer({ min: 0, max: 3 }).map((n) => new Date(Date.UTC(2026, 0, 1, 0, 0, n, 500))),
    plain: (u) => (u instanceof Date ? u.getTime() : null)
  },
  tags: { values: tags, plain: (u) => (Array.isArray(u) ? u.map(String) : null) }
}

const rowOf = fc.record(
  Object.fromEntries(
    Object.entries(domains).map(([name, { values }]) => [
      name,
      name === "label"
        ? fc.oneof({ weight: 4, arbitrary: values }, fc.constant(Option.none()))
        : fc.option(values, { freq: 4 })
    ])
  )
)

/** The same rows in each run, so that a condition that fails can be tried again. */
const rows: ReadonlyArray<Readonly<Record<string, unknown>>> = fc.sample(rowOf, { numRuns: 60, seed: 23 })

/** As LIKE reads it. */
const fits = (pattern: string, any: boolean, value: string): boolean => {
  const parts = [...pattern.matchAll(/\\([\s\S])|[\s\S]/gu)].map(([sign, escaped]) =>
    escaped !== undefined ? literal(escaped) : sign === "%" ? "[^]*" : sign === "_" ? "[^]" : literal(sign)
  )
  return new RegExp(`^${parts.join("")}$`, any ? "iu" : "u").test(value)
}

const literal = (sign: string): string => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`

const patterns = fc
  .array(fc.constantFrom("a", "b", "A", "%", "_", "\\%", "\\_", "\\\\", "*", ",", '"', "(", "é", "{"), { maxLength: 4 })
  .map((parts) => parts.join(""))

const sizes = {
  gt: [Db.gt, (a, b) => a > b],
  gte: [Db.gte, (a, b) => a >= b],
  lt: [Db.lt, (a, b) => a < b],
  lte: [Db.lte, (a, b) => a <= b]
} satisfies Record<string, readonly [(value: unknown) => unknown, (a: number | bigint, b: number | bigint) => boolean]>

const operators = ["gt", "gte", "lt", "lte"] as const

const isSize = (value: Plain): value is number | bigint => typeof value === "number" || typeof value === "bigint"

const same = (a: Plain, b: Plain): boolean => a === b

/** Of one column; `among` are values that rows have, so that conditions find some. */
const atom = (column: Column): fc.Arbitrary<Asked> => {
  const { plain, values } = domains[column]
  const among = fc.oneof(
    values,
    fc.constantFrom(...rows.map((row) => row[column]).filter((value) => plain(value) !== null))
  )
  const none: unknown = column === "label" ? Option.none() : null
  const some: ReadonlyArray<fc.Arbitrary<Asked>> = [
    among.map((value) => ({ where: value, holds: (it) => same(it, plain(value)) })),
    fc.constantFrom(null, none).map((where) => ({ where, holds: (it) => it === null })),
    fc.array(fc.option(among, { nil: none, freq: 3 }), { maxLength: 4 }).map((list) => ({
      where: list,
      holds: (it) => list.some((value) => same(it, plain(value)))
    })),
    among.map((value) => ({ where: Db.neq(value), holds: (it) => it !== null && !same(it, plain(value)) }))
  ]
  const bySize = fc.tuple(fc.constantFrom(...operators), among).map(
    ([op, value]): Asked => ({
      where: sizes[op][0](value),
      holds: (it) => {
        const other = plain(value)
        return isSize(it) && isSize(other) && sizes[op][1](it, other)
      }
    })
  )
  const between = fc.tuple(among, among).map(
    ([from, to]): Asked => ({
      where: Db.between(from, to),
      holds: (it) => {
        const [low, high] = [plain(from), plain(to)]
        return isSize(it) && isSize(low) && isSize(high) && it >= low && it <= high
      }
    })
  )
  const like = fc.tuple(patterns, fc.boolean()).map(
    ([pattern, any]): Asked => ({
      where: any ? Db.ilike(pattern) : Db.like(pattern),
      holds: (it) => typeof it === "string" && fits(pattern, any, it)
    })
  )
  const sets = tags.map((list): ReadonlyArray<Asked> => {
    const has = (it: Plain, one: string) => Array.isArray(it) && it.includes(one)
    return [
      { where: Db.contains(list), holds: (it) => it !== null && list.every((one) => has(it, one)) },
      { where: Db.containedBy(list), holds: (it) => Array.isArray(it) && it.every((one) => list.includes(one)) },
      { where: Db.overlaps(list), holds: (it) => list.some((one) => has(it, one)) }
    ]
  })
  if (column === "tags") {
    return fc.oneof(
      fc.tuple(sets, fc.nat(2)).chain(([all, n]) => fc.constantFrom(...all.slice(n, n + 1))),
      fc.constant<Asked>({ where: null, holds: (it) => it === null })
    )
  }
  if (column === "label") return fc.oneof(...some, like)
  return column === "done" ? fc.oneof(...some) : fc.oneof(...some, bySize, between)
}

const compound = (column: Column): fc.Arbitrary<Asked> =>
  fc.letrec<{ readonly asked: Asked }>((tie) => ({
    asked: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      atom(column),
      tie("asked").map(
        ({ holds, where }): Asked => ({ where: Reflect.apply(Db.not, undefined, [where]), holds: (it) => !holds(it) })
      ),
      fc.tuple(fc.boolean(), fc.array(tie("asked"), { minLength: 1, maxLength: 3 })).map(([all, parts]): Asked => {
        // Of a value: not not it.
        const each = parts.map(({ where }) =>
          Reflect.apply(Db.not, undefined, [Reflect.apply(Db.not, undefined, [where])])
        )
        return {
          where: Reflect.apply(all ? Db.and : Db.or, undefined, each),
          holds: (it) => (all ? parts.every(({ holds }) => holds(it)) : parts.some(({ holds }) => holds(it)))
        }
      })
    )
  })).asked

interface Question {
  readonly where: Readonly<Record<string, unknown>>
  readonly holds: (row: Readonly<Record<string, unknown>>) => boolean
}

const names = Object.keys(domains) as ReadonlyArray<Column>

const question: fc.Arbitrary<Question> = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 2 })
  .chain((asked) => fc.tuple(...asked.map((column) => compound(column).map((one) => ({ column, ...one })))))
  .map((parts) => ({
    where: Object.fromEntries(parts.map(({ column, where }) => [column, where])),
    holds: (row) => parts.every(({ column, holds }) => holds(domains[column].plain(row[column])))
  }))

/** What a caller without types might give. */
const list = (where: object): Effect.Effect<ReadonlyArray<Kind>, Db.DbError, Db.Db> =>
  Reflect.apply(kinds.list, undefined, [{ where }])

const count = (where: object): Effect.Effect<number, Db.DbError, Db.Db> =>
  Reflect.apply(kinds.count, undefined, [{ where }])

/** The embedded API takes no escapes away in parentheses, and counts the quotes in them; it cannot send an empty array. */
const unreadable = (filters: ReadonlyArray<string>): boolean =>
  filters.some((it) => (it.startsWith("and=") && /\\/.test(it)) || /\.\{\}/.test(it))

/** It counts the parentheses in quotes too, and takes a tree that is whole for one that is not. */
const miscounted = (filters: ReadonlyArray<string>): boolean =>
  filters.some((it) => {
    const quotes = it.startsWith("and=") ? (it.match(/"[^"]*"/g) ?? []).join("") : ""
    return quotes.split("(").length !== quotes.split(")").length
  })

const idsOf = (found: unknown): ReadonlySet<string> =>
  new Set(Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.String })))(found).map(({ id }) => id))

const filtersOf = (where: object): Effect.Effect<ReadonlyArray<string>, Db.DbError> =>
  Effect.map(chosen(columns, { where }), ({ whole }) => {
    const filters: Array<string> = []
    const query = {
      filter: (...[column, operator, value]: ReadonlyArray<unknown>) => {
        filters.push(`${column}=${operator}.${value}`)
        return query
      }
    }
    Reflect.apply(whole, undefined, [query])
    return filters
  })

layer(Real, { excludeTestServices: true, timeout: 60_000 })("where", (it) => {
  const batch = mark()
  /** By a transaction, since the embedded API makes numbers of what it inserts. */
  const made = Effect.gen(function* () {
    const whole = rows.map((row) => ({ ...row, id: crypto.randomUUID(), batch, data: null }))
    const encoded = yield* Effect.forEach(whole, (row) => Schema.encodeUnknown(Kind)(row))
    yield* Db.transaction([(client) => client.from("where_kinds").insert([...encoded])])
    return whole.map(({ id }) => id)
  })
  const ids = Effect.runSync(Effect.cached(made))

  it.effect.prop(
    "finds the rows that a predicate finds: alone, and as a step of a transaction",
    [question],
    ([{ holds, where }]) =>
      Effect.gen(function* () {
        const all = yield* ids
        const filters = yield* filtersOf(where)
        /** Those that were found and should not have been, or the other way round. */
        const compare = (how: string, found: ReadonlySet<string>): void => {
          const wrong = rows.filter((row, nth) => holds(row) !== found.has(all[nth] ?? ""))
          assert.deepStrictEqual(
            wrong.map((row) => Object.keys(where).map((name) => row[name])),
            [],
            `${how}: ${filters.join("&")}`
          )
        }
        const { whole } = yield* chosen(columns, { where: { ...where, batch } })
        const [inStep] = yield* Db.transaction([(client) => whole(client.from("where_kinds").select("id"))])
        compare("as a step", idsOf(inStep))
        if (unreadable(filters)) return
        const given = yield* Effect.either(list({ ...where, batch }))
        if (miscounted(filters) && Either.isLeft(given)) {
          // What it takes for the rest of the condition is no condition, or is taken for a column.
          assert.include(["PGRST100", "42703"], given.left._tag === "QueryError" ? given.left.code : given.left._tag)
          return
        }
        const found = yield* given
        compare("alone", idsOf(found))
        assert.strictEqual(yield* count({ ...where, batch }), found.length)
      }),
    { fastCheck: { numRuns: 80 }, timeout: 120_000 }
  )

  const filterRefused = (where: unknown, path: string, words: string | RegExp) =>
    Effect.gen(function* () {
      const reads: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Db>> = [
        Reflect.apply(kinds.list, undefined, [{ where }]),
        Reflect.apply(kinds.search, undefined, [{ where, query: "" }]),
        Reflect.apply(kinds.count, undefined, [{ where }])
      ]
      for (const read of reads) {
        const error = yield* failureOf(read)
        assert.deepInclude(error, { _tag: "DecodeError", path, stage: "filter", mayHaveExecuted: false })
        assert.match(error.message, new RegExp(words))
        assert.include(error.message, "Nothing was sent.")
      }
    })

  it.effect("is refused by column where it says nothing that could be meant", () =>
    Effect.gen(function* () {
      yield* filterRefused({ n: undefined }, "n", "undefined, which would mean every row: leave the column out")
      yield* filterRefused({ batch, n: undefined }, "n", "every row")
      yield* filterRefused({ n: [undefined] }, "n", "actual undefined")
      yield* filterRefused({ n: Db.gte(undefined) }, "n", "actual undefined")
      yield* filterRefused({ n: Reflect.apply(Db.not, undefined, [undefined]) }, "n", "every row")
      yield* filterRefused(undefined, "where", "every row")
      for (const none of [null, "n", [], [{ n: 1 }], new Map([["n", 1]]), new Set(["n"]), new Date()]) {
        yield* filterRefused(none, "where", "expected an object of columns")
      }
      yield* filterRefused({ m: 1 }, "m", "no column m; it has id, batch")
      yield* filterRefused({ n: Db.gte(1.5) }, "n", "Expected an integer, actual 1.5")
      yield* filterRefused({ n: Db.gte("1") }, "n", "Expected number")
      yield* filterRefused({ at: Db.between(new Date(0), new Date(Number.NaN)) }, "at", "Expected a valid Date")
      yield* filterRefused({ n: Db.lt(null) }, "n", "nothing is more or less than null")
      yield* filterRefused({ label: Db.neq(Option.none()) }, "label", "nothing is more or less than null")
      yield* filterRefused({ tags: ["red"] }, "tags", "Expected ReadonlyArray")
      yield* filterRefused({ tags: [["red"]] }, "tags", "by contains, containedBy and overlaps only")
      yield* filterRefused(
        { n: Reflect.apply(Db.contains, undefined, [1]) },
        "n",
        "expected a list, a range or an object"
      )
      yield* filterRefused({ label: Reflect.apply(Db.like, undefined, [7]) }, "label", "the pattern of like is no text")
      yield* filterRefused({ label: Db.like("a\\") }, "label", "ends in a backslash that escapes nothing")
      yield* filterRefused({ label: Db.ilike("a\0") }, "label", "no NUL")
      yield* filterRefused({ n: Db.and() }, "n", "and of no comparisons")
    })
  )

  it.effect("takes an object that somebody sent for no comparison", () =>
    Effect.gen(function* () {
      const sent: ReadonlyArray<unknown> = [
        { neq: "" },
        { gte: 0 },
        { kind: "neq", value: 1 },
        { term: { kind: "neq", value: 1 } },
        JSON.parse(JSON.stringify(Db.neq(1)))
      ]
      for (const value of sent) {
        yield* filterRefused({ n: value }, "n", "Expected number")
        yield* filterRefused({ data: value }, "data", "compared by contains")
      }
    })
  )

  it.effect("is nothing where it is left out, or has no columns", () =>
    Effect.gen(function* () {
      yield* ids
      const all = yield* kinds.count()
      assert.isAtLeast(all, rows.length)
      assert.isAtLeast(yield* kinds.count({ where: {} }), all)
    })
  )

  it.effect("finds the rows without a value among others, by an Option as by null", () =>
    Effect.gen(function* () {
      yield* ids
      const labels = Effect.map(
        kinds.list({ where: { batch, label: [Option.some("a"), Option.none(), Option.some("null")] } }),
        (found) => [...new Set(found.map(({ label }) => Option.getOrNull(label)))]
      )
      const has = (label: unknown) => rows.some((row) => domains.label.plain(row["label"]) === label)
      assert.sameMembers(yield* labels, ["a", null, "null"].filter(has))
      assert.isTrue(has(null))
      const numbers = yield* kinds.list({ where: { batch, n: Db.not([1, 2, null]) } })
      assert.strictEqual(
        numbers.length,
        rows.filter(({ n }) => ![1, 2, null].includes(Number(n ?? Number.NaN)) && n !== null).length
      )
    })
  )

  it.effect("finds JSON that contains, and is contained", () =>
    Effect.gen(function* () {
      const mine = mark()
      yield* Db.write((client) =>
        client.from("where_kinds").insert([
          { batch: mine, n: 1, data: { k: "v", more: 1 } },
          { batch: mine, n: 2, data: ["red", "blue"] },
          { batch: mine, n: 3, data: null }
        ])
      )
      const found = (data: Db.Condition<unknown>) =>
        Effect.map(kinds.list({ where: { batch: mine, data }, orderBy: "n" }), (all) => all.map(({ n }) => n))
      assert.deepStrictEqual(yield* found(Db.contains({ k: "v" })), [1])
      assert.deepStrictEqual(yield* found(Db.contains(["red"], { json: true })), [2])
      assert.deepStrictEqual(yield* found(Db.containedBy({ k: "v", more: 1, other: 2 })), [1])
      assert.deepStrictEqual(yield* found(null), [3])
      assert.deepStrictEqual(yield* found(Db.not(null)), [1, 2])
      assert.deepStrictEqual(yield* found(Db.not(Db.contains({ k: "v" }))), [2, 3])
    })
  )

  it.effect("compares and sorts a column that is cast as the database's own type", () =>
    Effect.gen(function* () {
      const mine = mark()
      const prices = [9, 10, 100, -1, 9.5].map((n) => BigDecimal.unsafeFromNumber(n))
      yield* kinds.createMany(prices.map((price) => ({ batch: mine, price })))
      const found = (options: Db.ListOptions<Kind>) =>
        Effect.map(kinds.list({ ...options, where: { ...options.where, batch: mine } }), (all) =>
          all.map(({ price }) => (price === null ? null : BigDecimal.unsafeToNumber(price)))
        )
      assert.deepStrictEqual(yield* found({ orderBy: "price" }), [-1, 9, 9.5, 10, 100])
      assert.deepStrictEqual(yield* found({ orderBy: { column: "price", descending: true }, limit: 2 }), [100, 10])
      const nine = BigDecimal.unsafeFromString("9.0")
      const ten = BigDecimal.unsafeFromString("10.00")
      assert.deepStrictEqual(yield* found({ where: { price: Db.gt(nine) }, orderBy: "price" }), [9.5, 10, 100])
      assert.deepStrictEqual(yield* found({ where: { price: Db.between(nine, ten) }, orderBy: "price" }), [9, 9.5, 10])
      assert.deepStrictEqual(yield* found({ where: { price: ten } }), [10])
      const [row] = yield* kinds.list({ where: { batch: mine, price: ten } })
      assert.deepStrictEqual(row === undefined ? undefined : yield* kinds.get(row.id), row)
      const [step] = yield* Db.transaction([
        kinds.listStep({ where: { batch: mine, price: Db.gte(nine) }, orderBy: "price" })
      ])
      assert.deepStrictEqual(
        step.map(({ price }) => String(price)),
        ["BigDecimal(9)", "BigDecimal(9.5)", "BigDecimal(10)", "BigDecimal(100)"]
      )
    })
  )

  it.effect("goes with an order that says where NULLs stand", () =>
    Effect.gen(function* () {
      const mine = mark()
      yield* kinds.createMany([2, null, 1].map((n) => ({ batch: mine, n })))
      const order = (orderBy: Db.OrderBy<Kind>) =>
        Effect.map(kinds.list({ where: { batch: mine }, orderBy }), (all) => all.map(({ n }) => n))
      assert.deepStrictEqual(yield* order({ column: "n", nullsFirst: true }), [null, 1, 2])
      assert.deepStrictEqual(yield* order({ column: "n", nullsFirst: false }), [1, 2, null])
      assert.deepStrictEqual(yield* order({ column: "n", descending: true, nullsFirst: false }), [2, 1, null])
    })
  )
})
