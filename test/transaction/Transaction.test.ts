/** Every operation of PostgREST's builder as a step: what it gives, what it leaves, and what cannot be one. */
import { randomUUID } from "node:crypto"
import { assert, describe, it, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import type { StepFunction } from "../../src/internal/transaction/record.js"
import * as Transaction from "../../src/Transaction.js"
import { database, type Failed, failure } from "../support/transactions.js"

/** What the last step gives; the first five numbers of a test are its own, so that tests do not meet. */
interface Given {
  readonly steps: (n: number) => ReadonlyArray<StepFunction>
  readonly gives: (n: number) => unknown
}

/** `maxAffected` is there only for clients that know to speak with PostgREST 13. */
interface Versioned {
  readonly __InternalSupabase: { readonly PostgrestVersion: "13" }
  readonly public: {
    Tables: Record<string, { Row: { n: number }; Insert: { n: number }; Update: { n: number }; Relationships: [] }>
    Views: Record<never, never>
    Functions: Record<never, never>
  }
}

const atMostOne = (client: SupabaseClient, table: string, ids: ReadonlyArray<number>) =>
  (client as unknown as SupabaseClient<Versioned>)
    .from(table)
    .update({ n: ids[0] ?? 0 })
    .in("n", ids)
    .maxAffected(1)
    .select("n")

const notes = (client: SupabaseClient) => client.from("notes")

let numbers = 700_000
const own = (): number => {
  numbers += 10
  return numbers
}

const operations: Readonly<Record<string, Given>> = {
  "insert gives nothing": { steps: (n) => [(c) => notes(c).insert({ n })], gives: () => null },
  "insert and select": {
    steps: (n) => [(c) => notes(c).insert({ n, body: "b" }).select("n, body, done")],
    gives: (n) => [{ n, body: "b", done: false }]
  },
  "insert of many keeps their order": {
    steps: (n) => [
      (c) =>
        notes(c)
          .insert([{ n: n + 1 }, { n }, { n: n + 2 }])
          .select("n")
    ],
    gives: (n) => [{ n: n + 1 }, { n }, { n: n + 2 }]
  },
  "insert of none": { steps: () => [(c) => notes(c).insert([]).select("n")], gives: () => [] },
  "insert of an empty row": {
    steps: () => [(c) => notes(c).insert({}).select("n, body")],
    gives: () => [{ n: null, body: "" }]
  },
  "insert where rows have different columns: what is missing is null": {
    steps: (n) => [
      (c) =>
        notes(c)
          .insert([{ n, amount: 1 }, { n: n + 1 }])
          .select("n, amount")
    ],
    gives: (n) => [
      { n, amount: 1 },
      { n: n + 1, amount: null }
    ]
  },
  "insert where what is missing takes the default": {
    steps: (n) => [
      (c) =>
        notes(c)
          .insert([{ n, body: "given", tags: ["t"] }, { n: n + 1 }], { defaultToNull: false })
          .select("n, body, tags")
    ],
    gives: (n) => [
      { n, body: "given", tags: ["t"] },
      { n: n + 1, body: "", tags: [] }
    ]
  },
  "insert and single": {
    steps: (n) => [(c) => notes(c).insert({ n }).select("n").single()],
    gives: (n) => ({ n })
  },
  "select with casts": {
    steps: (n) => [(c) => notes(c).insert({ n, amount: 1.5 }).select("n::text, money:amount::text, done").single()],
    gives: (n) => ({ n: String(n), money: "1.50", done: false })
  },
  "select with other names": {
    steps: (n) => [(c) => notes(c).insert({ n }).select("number:n, is:done")],
    gives: (n) => [{ number: n, is: false }]
  },
  "upsert of a row that is there changes it": {
    steps: (n) => [
      (c) => notes(c).insert({ n, body: "old", amount: 1 }),
      (c) => notes(c).upsert({ n, body: "new" }, { onConflict: "n" }).select("n, body, amount")
    ],
    gives: (n) => [{ n, body: "new", amount: 1 }]
  },
  "upsert of a row that is not there adds it": {
    steps: (n) => [(c) => notes(c).upsert({ n, body: "new" }, { onConflict: "n" }).select("n, body")],
    gives: (n) => [{ n, body: "new" }]
  },
  "upsert by the primary key": {
    steps: (n) => [
      (c) => c.from("tx_pairs").insert({ a: n, b: 1, c: 1 }),
      (c) =>
        c
          .from("tx_pairs")
          .upsert([
            { a: n, b: 1, c: 2 },
            { a: n, b: 2, c: 3 }
          ])
          .select()
    ],
    gives: (n) => [
      { a: n, b: 1, c: 2 },
      { a: n, b: 2, c: 3 }
    ]
  },
  "upsert that leaves duplicates alone gives the others": {
    steps: (n) => [
      (c) => notes(c).insert({ n, body: "old" }),
      (c) =>
        notes(c)
          .upsert(
            [
              { n, body: "new" },
              { n: n + 1, body: "new" }
            ],
            { onConflict: "n", ignoreDuplicates: true }
          )
          .select("n")
    ],
    gives: (n) => [{ n: n + 1 }]
  },
  "update gives nothing": {
    steps: (n) => [(c) => notes(c).insert({ n }), (c) => notes(c).update({ body: "b" }).eq("n", n)],
    gives: () => null
  },
  "update and select": {
    steps: (n) => [
      (c) => notes(c).insert([{ n }, { n: n + 1 }, { n: n + 2 }]),
      (c) =>
        notes(c)
          .update({ body: "b", done: true })
          .in("n", [n, n + 2])
          .select("n, body, done"),
      // An update gives its rows in no order.
      (c) =>
        notes(c)
          .select("n, body, done")
          .in("n", [n, n + 2])
          .order("n")
    ],
    gives: (n) => [
      { n, body: "b", done: true },
      { n: n + 2, body: "b", done: true }
    ]
  },
  "update of nothing changes no row": {
    steps: (n) => [(c) => notes(c).insert({ n }), (c) => notes(c).update({}).eq("n", n).select("n")],
    gives: () => []
  },
  "update to null": {
    steps: (n) => [
      (c) => notes(c).insert({ n, amount: 5 }),
      (c) => notes(c).update({ amount: null }).eq("n", n).select("amount").single()
    ],
    gives: () => ({ amount: null })
  },
  "delete gives nothing": {
    steps: (n) => [(c) => notes(c).insert({ n }), (c) => notes(c).delete().eq("n", n)],
    gives: () => null
  },
  "delete and select": {
    steps: (n) => [
      (c) => notes(c).insert([{ n }, { n: n + 1 }]),
      (c) =>
        notes(c)
          .delete()
          .gte("n", n)
          .lte("n", n + 5)
          .select("n")
    ],
    gives: (n) => [{ n }, { n: n + 1 }]
  },
  "maxAffected that is kept": {
    steps: (n) => [(c) => notes(c).insert({ n }), (c) => atMostOne(c, "notes", [n])],
    gives: (n) => [{ n }]
  },
  "maybeSingle of none": { steps: (n) => [(c) => notes(c).select("n").eq("n", n).maybeSingle()], gives: () => null },
  "maybeSingle of one": {
    steps: (n) => [(c) => notes(c).insert({ n }), (c) => notes(c).select("n").eq("n", n).maybeSingle()],
    gives: (n) => ({ n })
  },
  "select sees what earlier steps did": {
    steps: (n) => [
      (c) => notes(c).insert({ n }),
      (c) => notes(c).update({ body: "seen" }).eq("n", n),
      (c) => notes(c).select("body").eq("n", n)
    ],
    gives: () => [{ body: "seen" }]
  },
  "a view": {
    steps: (n) => [
      (c) => c.from("tx_view").insert({ n, body: "b" }),
      (c) => c.from("tx_view").select("n, body").eq("n", n)
    ],
    gives: (n) => [{ n, body: "b" }]
  },
  "a partitioned table": {
    steps: () => [
      (c) => c.from("tx_parts").delete().in("id", [50, 500]),
      (c) =>
        c
          .from("tx_parts")
          .insert([
            { id: 50, body: "low" },
            { id: 500, body: "high" }
          ])
          .select("id")
    ],
    gives: () => [{ id: 50 }, { id: 500 }]
  },
  "names that SQL knows": {
    steps: (n) => [
      (c) =>
        c
          .from("tx_names")
          .insert({ t: n, r: 2, p: 3, o: 4, w: 5, given: 6, visible: 7, kept: 8, args: 9, 'quote"d': "q", select: "s" })
          .select("t, r, given, visible, kept, args, select, twice")
          .eq("t", n)
          .single()
    ],
    gives: (n) => ({ t: n, r: 2, given: 6, visible: 7, kept: 8, args: 9, select: "s", twice: 2 * n })
  },
  "a domain's default and its refusal of null": {
    steps: (n) => [(c) => c.from("tx_domains").insert({ id: n }).select("must").single()],
    gives: () => ({ must: "given" })
  },
  "rpc of a value": { steps: () => [(c) => c.rpc("tx_scalar", { a: 1, b: 2 })], gives: () => 3 },
  "rpc with an argument left to its default": { steps: () => [(c) => c.rpc("tx_scalar", { a: 1 })], gives: () => 11 },
  "rpc of nothing": { steps: (n) => [(c) => c.rpc("tx_void", { n })], gives: () => null },
  "rpc of values": { steps: () => [(c) => c.rpc("tx_set", { n: 3 })], gives: () => [1, 2, 3] },
  "rpc of a table": { steps: () => [(c) => c.rpc("tx_table", { n: 1 })], gives: () => [{ x: 1 }, { x: 2 }] },
  "rpc with an OUT argument": { steps: () => [(c) => c.rpc("tx_out", { n: 4 })], gives: () => ({ x: 4 }) },
  "rpc with INOUT arguments": {
    steps: () => [(c) => c.rpc("tx_inout", { b: 1 })],
    gives: () => ({ a: 6, b: 1 })
  },
  "rpc of a row": {
    steps: () => [(c) => c.rpc("tx_row", { n: 4 })],
    gives: () => ({
      ...{ id: 4, name: null, n: null, price: null, done: null, at: null },
      ...{ tags: null, data: null, plain: null, span: null, doc: null }
    })
  },
  "rpc with an array": { steps: () => [(c) => c.rpc("tx_array", { items: ["a"] })], gives: () => ["a", "last"] },
  "rpc with JSON": { steps: () => [(c) => c.rpc("tx_json", { value: { a: [1] } })], gives: () => ({ a: [1] }) },
  "rpc with any number of arguments": { steps: () => [(c) => c.rpc("tx_variadic", { items: [1, 2] })], gives: () => 3 },
  "rpc without arguments": { steps: () => [(c) => c.rpc("tx_none")], gives: () => "none" },
  "rpc and what it did": {
    steps: (n) => [(c) => c.rpc("tx_void", { n }), (c) => c.from("tx_keyless").select("a").eq("a", n)],
    gives: (n) => [{ a: n }]
  },
  "a reference in a row, in JSON inside it, and in a filter": {
    steps: (n) => [
      (c) => notes(c).insert({ n, body: "first", tags: ["x", { y: 1 }] }),
      (c) => notes(c).select("n").eq("n", n).single(),
      (c) =>
        notes(c).insert({ n: n + 1, body: Transaction.ref(1, "body"), tags: { from: [Transaction.ref(1, "tags")] } }),
      (c) =>
        notes(c)
          .select("n, body, tags")
          .eq("body", Transaction.ref(1, "body"))
          .eq("n", n + 1)
    ],
    gives: (n) => [{ n: n + 1, body: "first", tags: { from: [["x", { y: 1 }]] } }]
  },
  "a reference in changes": {
    steps: (n) => [
      (c) => notes(c).insert({ n, amount: 12.5 }).select("n").single(),
      (c) => notes(c).insert({ n: n + 1 }),
      (c) =>
        notes(c)
          .update({ amount: Transaction.ref(0, "amount") })
          .eq("n", n + 1)
          .select("amount")
          .single()
    ],
    gives: () => ({ amount: 12.5 })
  }
}

const refusedByDatabase: Readonly<Record<string, readonly [StepFunction, Partial<Failed>]>> = {
  "single of none": [(c) => notes(c).select("n").eq("n", -1).single(), { failed: "RowNotFound" }],
  "a cast to a type that is not there": [(c) => notes(c).select("n::nothing"), { code: "42704" }],
  "single of two": [(c) => c.from("tx_kinds").select("id").in("id", [1, 2]).single(), { code: "P0003" }],
  "maybeSingle of two": [(c) => c.from("tx_kinds").select("id").in("id", [1, 2]).maybeSingle(), { code: "P0003" }],
  "more rows than maxAffected": [(c) => atMostOne(c, "tx_kinds", [1, 2]), { code: "21000" }],
  "a table that is not there": [(c) => c.from("nothing").select(), { code: "42P01" }],
  "a column that is not there": [(c) => notes(c).insert({ nothing: 1 }), { code: "42703" }],
  "a column that is not there, in select": [(c) => notes(c).select("nothing"), { code: "42703" }],
  "a function that is not there": [(c) => c.rpc("nothing"), { code: "42883" }],
  "a function that has other arguments": [(c) => c.rpc("tx_scalar", { x: 1 }), { code: "42883" }],
  "one of two functions of a name": [(c) => c.rpc("tx_over", { a: 1 }), { code: "42725" }],
  "a value of another type": [(c) => notes(c).insert({ n: "many" }), { code: "22P02" }],
  "a second row with a unique value": [(c) => c.from("tx_kinds").insert({ id: 1 }), { code: "23505" }],
  "a required column without a value": [(c) => notes(c).insert({ body: null }), { code: "23502" }],
  "a required domain without a value": [(c) => c.from("tx_domains").insert({ id: 1, must: null }), { code: "23502" }],
  "a row that refers to nobody": [(c) => c.from("profiles").insert({ user_id: randomUUID() }), { code: "23503" }],
  "a value that a check refuses": [(c) => c.from("products").update({ price: -1 }).gt("price", 0), { code: "23514" }],
  "a generated column": [(c) => c.from("tx_names").insert({ twice: 1 }), { code: "428C9" }],
  "an identity that is always generated": [(c) => c.from("tx_always").insert({ id: 1 }), { code: "428C9" }],
  "upsert into a table without a primary key": [(c) => c.from("tx_keyless").upsert({ a: 1 }), { code: "42P10" }],
  "upsert by columns that are not unique": [
    (c) => notes(c).upsert({ body: "b" }, { onConflict: "body" }),
    { code: "42P10" }
  ],
  "an upsert of the same row twice": [
    (c) => notes(c).upsert([{ n: 699_001 }, { n: 699_001 }], { onConflict: "n" }),
    { code: "21000" }
  ],
  "a statement that took too long": [(c) => c.rpc("tx_slow_statement"), { code: "57014" }],
  "a schema that is not open": [(c) => c.schema("tx").from("hidden").select(), { code: "42501" }],
  "a function of a schema that is not open": [(c) => c.schema("tx").rpc("hidden"), { code: "42501" }]
}

const gone = new AbortController().signal

/** Nothing of these is sent; each is refused in these words. */
const refused: Readonly<Record<string, readonly [StepFunction, string]>> = {
  "csv()": [(c) => notes(c).select().csv(), "csv()"],
  "geojson()": [(c) => notes(c).select().geojson(), "geojson()"],
  "explain()": [(c) => notes(c).select().explain(), "explain()"],
  "stripNulls()": [(c) => notes(c).select().stripNulls(), "stripNulls()"],
  "rollback()": [(c) => notes(c).insert({}).rollback(), "rollback()"],
  "abortSignal()": [(c) => notes(c).select().abortSignal(gone), "abortSignal(); interrupt the transaction instead"],
  "a header": [(c) => notes(c).select().setHeader("X-Mine", "1"), "the header x-mine"],
  "select with count": [(c) => notes(c).select("n", { count: "exact" }), "count"],
  "insert with count": [(c) => notes(c).insert({}, { count: "exact" }), "count"],
  "update with count": [(c) => notes(c).update({}, { count: "planned" }), "count"],
  "delete with count": [(c) => notes(c).delete({ count: "estimated" }), "count"],
  "head: true": [(c) => notes(c).select("n", { head: true }), "select(…, { head: true })"],
  "rpc by GET": [(c) => c.rpc("tx_none", {}, { get: true }), "rpc(…, { get: true }) or { head: true }"],
  "rpc by HEAD": [(c) => c.rpc("tx_none", {}, { head: true }), "rpc(…, { get: true }) or { head: true }"],
  "filters on what a function gives": [
    (c) => c.rpc("tx_table", { n: 1 }).eq("x", 1),
    'x on the rows of rpc("tx_table")'
  ],
  "select of what a function gives": [
    (c) => c.rpc("tx_table", { n: 1 }).select("x"),
    'select on the rows of rpc("tx_table")'
  ],
  "limit of what a function gives": [
    (c) => c.rpc("tx_table", { n: 1 }).limit(1),
    'limit on the rows of rpc("tx_table")'
  ],
  "an embedded resource": [
    (c) => c.from("shops").select("id, products(id)"),
    'embedding or a function in select("id,products(id)")'
  ],
  "a spread resource": [
    (c) => c.from("products").select("id, ...shops(name)"),
    'embedding or a function in select("id,...shops(name)")'
  ],
  "an aggregate": [(c) => c.from("products").select("price.sum()"), 'embedding or a function in select("price.sum()")'],
  "a JSON path in select": [(c) => notes(c).select("tags->0"), 'a JSON path in select("tags->0")'],
  "* beside columns": [(c) => notes(c).select("*, n"), "* beside other columns in select"],
  "a filter on an embedded resource": [
    (c) => notes(c).select().eq("shops.id", 1),
    'the embedded resource in "shops.id"'
  ],
  "order by an embedded resource": [
    (c) => notes(c).select().order("shops(name)"),
    "order by an embedded resource (shops(name).asc)"
  ],
  "order in an embedded resource": [
    (c) => notes(c).select().order("name", { referencedTable: "shops" }),
    'the embedded resource in "shops.order"'
  ],
  "limit of an embedded resource": [
    (c) => notes(c).select().limit(1, { referencedTable: "shops" }),
    'the embedded resource in "shops.limit"'
  ],
  "limit of an update": [(c) => notes(c).update({ n: 1 }).limit(1), "limit on an update or a delete"],
  "order of a delete": [(c) => notes(c).delete().order("n"), "order on an update or a delete"],
  "range of an update": [(c) => notes(c).update({ n: 1 }).range(1, 2), "limit on an update or a delete"],
  "a preference": [(c) => notes(c).select().setHeader("Prefer", "timezone=UTC"), "the preference timezone"],
  "a filter of an embedded resource's rows": [
    (c) => notes(c).select().or("a.eq.1", { referencedTable: "shops" }),
    'the embedded resource in "shops.or"'
  ],
  "a limit that is none": [(c) => notes(c).select().limit(-1), "limit -1"],
  "an unknown operator": [(c) => notes(c).select().filter("n", "almost", 1), "the operator almost"],
  "an unknown state": [(c) => notes(c).select().filter("n", "is", "maybe"), "is.maybe"],
  "a quantifier where there is none": [
    (c) => notes(c).select().filter("n", "neq(any)", "{1}"),
    "the operator neq(any)"
  ],
  "a tree that does not close": [(c) => notes(c).select().or("n.eq.1,("), "the filter (n.eq.1,()"],
  "a list that does not close": [(c) => notes(c).select().filter("n", "in", "(1"), "the filter (1"],
  "a row that is none": [(c) => notes(c).insert([1]), "a row that is not an object"],
  "changes that are a list": [(c) => notes(c).update([{ n: 1 }]), "an update that is not an object"],
  "an empty name in onConflict": [
    (c) => notes(c).upsert({ n: 1 }, { onConflict: "n, " }),
    "an empty name in onConflict"
  ],
  "a reference to what comes later": [
    (c) => notes(c).insert({ body: Transaction.ref(7, "id") }),
    "a reference to step 7, which does not come before it"
  ],
  "a reference to itself": [
    (c) => notes(c).insert({ body: Transaction.ref(0, "id") }),
    "a reference to step 0, which does not come before it"
  ],
  "a reference inside a text": [
    (c) => notes(c).insert({ body: `id: ${Transaction.ref(0, "id")}` }),
    "a reference inside a longer text"
  ],
  "a reference inside the text of a filter": [
    (c) =>
      notes(c)
        .select()
        .eq("body", `id: ${Transaction.ref(0, "id")}`),
    "a reference inside a longer text"
  ],
  "a reference in a pattern's text": [
    (c) =>
      notes(c)
        .select()
        .like("body", `${Transaction.ref(0, "id")}%`),
    "a reference inside a longer text"
  ],
  "a promise of the answer": [async (c) => notes(c).select(), "a step that does not return the builder itself"],
  "two requests": [
    (c) => {
      void notes(c)
        .select()
        .then(() => undefined)
      return notes(c).insert({})
    },
    "other than exactly one request in a step"
  ],
  "a step that throws": [
    () => {
      throw new Error("mine")
    },
    "this step: Error: mine"
  ]
}

describe("the operations of a transaction", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    for (const [name, { gives, steps }] of Object.entries(operations)) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const n = own()
          const results = yield* Db.transaction(steps(n))
          assert.deepStrictEqual(results.at(-1), gives(n))
        })
      )
    }

    for (const [name, [step, expected]] of Object.entries(refusedByDatabase)) {
      it.effect(`${name}: the step is blamed, and nothing is kept`, () =>
        Effect.gen(function* () {
          const n = own()
          const failed = yield* failure(Db.transaction([(c) => notes(c).insert({ n }), step]))
          assert.deepInclude(failed, { failed: "TransactionFailed", step: 1, ...expected })
          assert.deepStrictEqual(yield* Db.read((c) => notes(c).select("n").eq("n", n)), [])
        })
      )
    }

    it.effect("a reference to a row that was not there is told, by the step that refers", () =>
      Effect.gen(function* () {
        const failed = yield* failure(
          Db.transaction([
            (c) => notes(c).select("id").eq("n", -1),
            (c) => notes(c).insert({ body: Transaction.ref(0, "id") })
          ])
        )
        assert.deepInclude(failed, { failed: "RowNotFound", step: 0 })
      })
    )

    it.effect("a reference to a function's result is refused: it has no columns that are known", () =>
      Effect.gen(function* () {
        const failed = yield* failure(
          Db.transaction([(c) => c.rpc("tx_none"), (c) => notes(c).insert({ body: Transaction.ref(0, "x") })])
        )
        assert.deepInclude(failed, {
          step: 1,
          code: "UNSUPPORTED",
          reason: "a transaction cannot express a reference to step 0, a function call"
        })
      })
    )

    it.effect("that gives back more rows than the cap is named with it, and nothing is kept", () =>
      Effect.gen(function* () {
        const n = own()
        const error = yield* Effect.flip(
          Db.transaction([(c) => notes(c).insert({ n }), (c) => c.rpc("tx_set", { n: 1001 })])
        )
        assert.deepInclude(error, { _tag: "TransactionFailed", step: 1, operation: "rpc tx_set", code: "54000" })
        assert.deepStrictEqual([error.mayHaveExecuted, error.isTransient], [false, false])
        assert.include(error.message, "gives back more than 1000 rows")
        assert.include(error.message, "supabase_pool.max_rows()")
        assert.deepStrictEqual(yield* Db.read((c) => notes(c).select("id").eq("n", n)), [])
      })
    )

    it.effect("types follow the builder's, as they do alone", () =>
      Effect.gen(function* () {
        const n = own()
        const [none, one, many] = yield* Db.transaction([
          (c) => notes(c).insert({ n }),
          (c) => notes(c).select("n").eq("n", n).single(),
          (c) => notes(c).select("n, body").eq("n", n)
        ])
        assert.isNull(none)
        assert.strictEqual(one.n, n)
        assert.strictEqual(many[0]?.body, "")
      })
    )
  })
})

describe("a caller who may send no transaction", () => {
  const forbidden = Db.layerTest(() =>
    Response.json(
      { code: "42501", message: "permission denied for function supabase_pool_transaction", details: null, hint: null },
      { status: 403 }
    )
  )

  it.effect("is told which grant is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Db.transaction([(c) => notes(c).select()]))
      assert.deepInclude(error, { _tag: "TransactionFailed", step: -1, code: "42501" })
      assert.include(error.message, "grant execute on function public.supabase_pool_transaction(text, jsonb) to anon")
    }).pipe(Effect.provide(forbidden))
  )
})

describe("what a transaction cannot express", () => {
  /** A database that has been asked anything has failed the test. */
  const untouched = Db.layerTest((request) => {
    throw new Error(`sent ${request.method} ${request.url}`)
  })

  for (const [name, [step, what]] of Object.entries(refused)) {
    it.effect(`${name} is refused before anything is sent`, () =>
      Effect.gen(function* () {
        const failed = yield* failure(Db.transaction([step]))
        assert.deepStrictEqual(failed, {
          failed: "TransactionFailed",
          step: 0,
          operation: "",
          code: "UNSUPPORTED",
          reason: `a transaction cannot express ${what}`
        })
      }).pipe(Effect.provide(untouched))
    )
  }
})
