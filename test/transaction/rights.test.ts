/** A transaction gives nobody a right that they lack, and takes no SQL from anybody. */
import { randomUUID } from "node:crypto"
import { assert, describe, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Exit } from "effect"
import * as Db from "../../src/Db.js"
import type { StepFunction } from "../../src/internal/transaction/record.js"
import * as Transaction from "../../src/Transaction.js"
import { as, embedded, ids, userToken } from "../support/embedded.js"
import { database, failure, settled } from "../support/transactions.js"

const buyer = ids.user(21)
const other = ids.user(22)

const callers: Readonly<Record<"anon" | "user" | "service", Db.AsUser>> = {
  anon: Db.withAccessToken(embedded.anonKey),
  user: Db.withAccessToken(userToken(buyer)),
  service: (effect) => effect
}

type Caller = keyof typeof callers

const names: ReadonlyArray<Caller> = ["anon", "user", "service"]

let numbers = 800_000
const own = (): number => {
  numbers += 1
  return numbers
}

const mine = (client: SupabaseClient) => client.from("tx_mine")
const profile = (client: SupabaseClient) => client.from("profiles")

/** What each caller gets for it: a code of PostgreSQL's, or `ok` with how many rows came back. */
type Verdict = string

interface Act {
  readonly step: (id: number) => StepFunction
  readonly verdicts: Readonly<Record<Caller, Verdict>>
}

const nobody = "42501"

/** Rows in `tx_mine`: a user has their own, anon may add what is public, and nobody but the service sees `secret`. */
const acts: Readonly<Record<string, Act>> = {
  "adds a row for themselves": {
    step: (id) => (c) => mine(c).insert({ id, body: "private" }).select("id"),
    verdicts: { anon: nobody, user: "1 row", service: "23502" }
  },
  "adds a row that is public, unseen": {
    step: (id) => (c) => mine(c).insert({ id, body: "public", owner: other }),
    verdicts: { anon: "nothing", user: nobody, service: "nothing" }
  },
  "adds a row for somebody else": {
    step: (id) => (c) => mine(c).insert({ id, body: "theirs", owner: other }).select("id"),
    verdicts: { anon: nobody, user: nobody, service: "1 row" }
  },
  "adds a row by upsert": {
    step: (id) => (c) => mine(c).upsert({ id, body: "up" }).select("id"),
    verdicts: { anon: nobody, user: nobody, service: "23502" }
  },
  "writes a column that is not theirs": {
    step: (id) => (c) => mine(c).insert({ id, secret: "s" }),
    verdicts: { anon: nobody, user: nobody, service: "23502" }
  },
  "sees all columns": {
    step: () => (c) => mine(c).select().lt("id", 10),
    verdicts: { anon: nobody, user: nobody, service: "2 rows" }
  },
  "sees what is theirs": {
    step: () => (c) => mine(c).select("id, body").lt("id", 10),
    verdicts: { anon: nobody, user: "1 row", service: "2 rows" }
  },
  "filters by a column that they cannot see": {
    step: () => (c) => mine(c).select("id").like("secret", "h%").lt("id", 10),
    verdicts: { anon: nobody, user: nobody, service: "2 rows" }
  },
  "orders by a column that they cannot see": {
    step: () => (c) => mine(c).select("id").order("secret").lt("id", 10),
    verdicts: { anon: nobody, user: nobody, service: "2 rows" }
  },
  "changes what is theirs": {
    step: () => (c) => mine(c).update({ body: "changed" }).lt("id", 10).select("id"),
    verdicts: { anon: nobody, user: "1 row", service: "2 rows" }
  },
  "changes whose it is": {
    step: () => (c) => mine(c).update({ owner: other }).lt("id", 10),
    verdicts: { anon: nobody, user: nobody, service: "nothing" }
  },
  deletes: {
    step: () => (c) => mine(c).delete().lt("id", 10).select("id"),
    verdicts: { anon: nobody, user: nobody, service: "2 rows" }
  },
  "sees other people's profiles": {
    step: () => (c) => profile(c).select("user_id").in("user_id", [buyer, other]),
    verdicts: { anon: "0 rows", user: "1 row", service: "2 rows" }
  },
  "changes somebody else's profile": {
    step: () => (c) => profile(c).update({ bio: "mine" }).eq("user_id", other).select("user_id"),
    verdicts: { anon: nobody, user: "0 rows", service: "1 row" }
  },
  "gives somebody a profile": {
    step: () => (c) => profile(c).upsert({ user_id: other, bio: "mine" }, { onConflict: "user_id" }),
    verdicts: { anon: nobody, user: nobody, service: "nothing" }
  },
  "makes themselves an admin": {
    step: () => (c) => c.from("users").update({ role: "admin" }).eq("id", buyer),
    verdicts: { anon: nobody, user: nobody, service: "nothing" }
  },
  "reads the records of transactions": {
    step: () => (c) => c.schema("supabase_pool").from("transactions").select(),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  },
  "takes away the records of transactions": {
    step: () => (c) => c.schema("supabase_pool").from("transactions").delete().neq("key", ""),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  },
  "sweeps the records by itself": {
    step: () => (c) => c.schema("supabase_pool").rpc("sweep"),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  },
  "calls PostgreSQL's own functions": {
    step: () => (c) =>
      c.schema("pg_catalog").rpc("set_config", { setting_name: "role", new_value: "postgres", is_local: true }),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  },
  "reads PostgreSQL's own tables": {
    step: () => (c) => c.schema("pg_catalog").from("pg_authid").select(),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  },
  "reads the accounts of the auth schema": {
    step: () => (c) => c.schema("auth").from("users").select(),
    verdicts: { anon: nobody, user: nobody, service: nobody }
  }
}

const verdictOf = (result: unknown): Verdict =>
  typeof result === "object" && result !== null && "code" in result && "failed" in result
    ? String(result.code)
    : Array.isArray(result)
      ? `${result.length} ${result.length === 1 ? "row" : "rows"}`
      : "nothing"

describe("rights in a transaction", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    /** The caller's step between two of the service's own making, all of it undone in the end. */
    const judged = (caller: Caller, step: StepFunction) =>
      Effect.map(settled(callers[caller](Db.transaction([step]))), (result) =>
        verdictOf(Array.isArray(result) ? result[0] : result)
      )

    for (const [name, { step, verdicts }] of Object.entries(acts)) {
      it.effect(`whoever ${name} may do so as far as they might alone`, () =>
        Effect.gen(function* () {
          yield* Db.write((c) =>
            mine(c).upsert([
              { id: 1, owner: buyer, body: "one" },
              { id: 2, owner: other, body: "two" }
            ])
          )
          const found = yield* Effect.forEach(names, (caller) =>
            Effect.map(judged(caller, step(own())), (verdict) => [caller, verdict] as const)
          )
          assert.deepStrictEqual(Object.fromEntries(found), verdicts)
        })
      )
    }

    it.effect("each step runs as the caller", () =>
      Effect.gen(function* () {
        const who = yield* Effect.forEach(names, (caller) => callers[caller](Db.transaction([(c) => c.rpc("tx_who")])))
        assert.deepStrictEqual(who, [["anon"], ["authenticated"], ["service_role"]])
      })
    )

    it.effect("a step that is forbidden takes with it what was allowed", () =>
      Effect.gen(function* () {
        const id = own()
        const failed = yield* failure(
          Db.transaction([(c) => mine(c).insert({ id, body: "allowed" }), (c) => mine(c).delete().eq("id", id)]).pipe(
            callers.user
          )
        )
        assert.deepInclude(failed, { step: 1, code: nobody })
        assert.deepStrictEqual(yield* Db.read((c) => mine(c).select("id").eq("id", id), { as: "service" }), [])
      })
    )

    it.effect("a reference shows no column that select would not", () =>
      Effect.gen(function* () {
        const id = own()
        const failed = yield* failure(
          Db.transaction([
            (c) => mine(c).insert({ id, body: "mine" }).select("id"),
            (c) =>
              c
                .from("notes")
                .insert({ body: Transaction.ref(0, "secret") })
                .select("body")
          ]).pipe(callers.user)
        )
        assert.deepInclude(failed, { step: 0, code: nobody })
      })
    )
  })
})

/** Text that would be SQL if anybody took it for it. */
const sql: ReadonlyArray<string> = [
  `notes"; drop table public.tx_guard; --`,
  `notes'; drop table public.tx_guard; --`,
  "notes where false; drop table public.tx_guard; --",
  "n); drop table public.tx_guard; --",
  "$1; drop table public.tx_guard",
  "%s%I%L%1$s%%",
  "\\'; drop table public.tx_guard; --",
  "E'\\x27'; drop table public.tx_guard",
  "public.tx_guard",
  "tx_guard()",
  "1=1",
  "",
  " ",
  "select",
  "🦊",
  "x".repeat(200)
]

interface Place {
  readonly step: (text: string) => StepFunction
}

const named = (name: string): Record<string, unknown> => ({ [name]: 1 })

const places: Readonly<Record<string, Place>> = {
  "a table": { step: (text) => (c) => c.from(encodeURIComponent(text)).select() },
  "a schema": { step: (text) => (c) => c.schema(text).from("notes").select() },
  "a function": { step: (text) => (c) => c.rpc(encodeURIComponent(text)) },
  "an argument's name": { step: (text) => (c) => c.rpc("tx_scalar", named(text)) },
  "a column to write": { step: (text) => (c) => c.from("notes").insert(named(text)) },
  "a column to change": {
    step: (text) => (c) =>
      c
        .from("notes")
        .update({ [text]: 1 })
        .eq("n", -1)
  },
  "a column to give": { step: (text) => (c) => c.from("notes").select(`"${text.replaceAll('"', '\\"')}"`) },
  "another name for it": {
    step: (text) => (c) =>
      c
        .from("notes")
        .select(`"${text.replaceAll('"', '\\"')}":n`)
        .eq("n", -1)
  },
  "a column to filter by": { step: (text) => (c) => c.from("notes").select().eq(text, 1) },
  "an operator": { step: (text) => (c) => c.from("notes").select().filter("n", text, 1) },
  "a configuration": { step: (text) => (c) => c.from("notes").select().textSearch("body", "x", { config: text }) },
  "a key of JSON": {
    step: (text) => (c) =>
      c
        .from("notes")
        .select()
        .eq(`tags->>"${text.replaceAll('"', '\\"')}"`, 1)
  },
  "a bare key of JSON": { step: (text) => (c) => c.from("notes").select().eq(`tags->>${text}`, 1).eq("n", -1) },
  "a column to order by": { step: (text) => (c) => c.from("notes").select().order(text).eq("n", -1) },
  "columns of a conflict": { step: (text) => (c) => c.from("notes").upsert({ n: 1 }, { onConflict: text }) },
  "a tree of filters": { step: (text) => (c) => c.from("notes").select().or(text) },
  "a column of a reference": {
    step: (text) => (c) =>
      c
        .from("notes")
        .update({ body: Transaction.ref(0, text) })
        .eq("n", -1)
  }
}

/** Steps that no client of ours would send. */
const forged: Readonly<Record<string, unknown>> = {
  "an operation": [{ op: "drop", schema: "public", table: "tx_guard" }],
  "no operation": [{ schema: "public", table: "tx_guard" }],
  "no table": [{ op: "select", schema: "public", returning: "*" }],
  "no schema": [{ op: "select", table: "tx_guard", returning: "*" }],
  "a list of schemas": [{ op: "select", schema: ["public"], table: "tx_guard" }],
  "a limit": [{ op: "select", schema: "public", table: "notes", returning: "*", limit: "1; drop table tx_guard" }],
  "an offset": [{ op: "select", schema: "public", table: "notes", returning: "*", offset: "(select 1)" }],
  "a direction": [
    {
      ...{ op: "select", schema: "public", table: "notes", returning: "*" },
      order: [{ column: "n", descending: "true; drop table tx_guard" }]
    }
  ],
  "a hop": [
    {
      ...{ op: "select", schema: "public", table: "notes", returning: "*" },
      filter: { and: [{ column: "tags", path: [["; drop table tx_guard", "k"]], op: "eq", value: { v: "1" } }] }
    }
  ],
  "a number of a hop": [
    {
      ...{ op: "select", schema: "public", table: "notes", returning: "*" },
      filter: { and: [{ column: "tags", path: [["->", 1e300]], op: "eq", value: { v: "1" } }] }
    }
  ],
  "a quantifier": [
    {
      ...{ op: "select", schema: "public", table: "notes", returning: "*" },
      filter: { and: [{ column: "n", op: "eq", quantifier: "any (select 1) or", value: { v: "{1}" } }] }
    }
  ],
  "a connective": [
    {
      ...{ op: "select", schema: "public", table: "notes", returning: "*" },
      filter: { and: [{ "or 1=1": [] }] }
    }
  ],
  "a filter that is a text": [{ op: "delete", schema: "public", table: "notes", filter: "1=1" }],
  "columns that are a text": [
    { op: "insert", schema: "public", table: "notes", columns: "n; drop table tx_guard", rows: [{}] }
  ],
  "columns of the type": [
    { op: "insert", schema: "public", table: "notes", columns: ["n) as r(n int); drop table tx_guard; --"], rows: [{}] }
  ],
  "returning that is a text": [
    { op: "select", schema: "public", table: "notes", returning: "n from notes; drop table tx_guard" }
  ],
  "columns to keep": [
    { op: "select", schema: "public", table: "notes", returning: "*", keep: ['n"; drop table tx_guard; --'] }
  ],
  "a reference to nothing": [
    {
      op: "insert",
      schema: "public",
      table: "notes",
      columns: ["body"],
      rows: [{ body: "x" }],
      refs: { 0: [[["body"], 99, "id"]] }
    }
  ],
  "a way to fill what is missing": [
    {
      op: "insert",
      schema: "public",
      table: "notes",
      columns: ["id; drop table tx_guard"],
      rows: [{}],
      missing: "default"
    }
  ],
  "steps that are no list": { op: "select" },
  "a step that is a text": ["drop table tx_guard"],
  "steps that are null": null
}

describe("SQL in a transaction", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    const guarded = Effect.gen(function* () {
      const rows = yield* Db.read((c) => c.from("tx_guard").select("id"), { as: "service" })
      assert.deepStrictEqual(rows, [{ id: 1 }])
    })

    for (const [where, { step }] of Object.entries(places)) {
      it.effect(`is none as the name of ${where}`, () =>
        Effect.gen(function* () {
          for (const text of sql) {
            const first: StepFunction = (c) => c.from("tx_kinds").select("id").eq("id", 1)
            const exit = yield* Effect.exit(
              Db.transaction(where === "a column of a reference" ? [first, step(text)] : [step(text)])
            )
            // Refused, or a name like any other. Never a defect, and never a syntax error: that is SQL half understood.
            if (Exit.isFailure(exit)) {
              const failed = yield* failure(exit)
              // PostgreSQL has no name without letters, and says it in these words.
              if (text !== "") assert.notStrictEqual(failed.code, "42601", `${where}: ${text}`)
              assert.notStrictEqual(failed.code, "XX000", `${where}: ${text}`)
            }
          }
          yield* guarded
        })
      )
    }

    it.effect("is a text like any other where a value is expected", () =>
      Effect.gen(function* () {
        for (const text of sql) {
          const body = `${randomUUID()} ${text}`
          const [, byText, byTag, byAny, changed] = yield* Db.transaction([
            (c) => c.from("notes").insert({ body, tags: { [text]: [text] } }),
            (c) => c.from("notes").select("body").eq("body", body).single(),
            (c) =>
              c
                .from("notes")
                .select("tags")
                .contains("tags", { [text]: [text] })
                .eq("body", body)
                .single(),
            (c) => c.rpc("tx_json", { value: { [text]: text } }),
            (c) =>
              c
                .from("notes")
                .update({ body: `${body}!` })
                .eq("body", body)
                .select("body")
                .single()
          ])
          assert.deepStrictEqual(
            [byText.body, byTag.tags, byAny, changed.body],
            [body, { [text]: [text] }, { [text]: text }, `${body}!`]
          )
        }
        yield* guarded
      })
    )

    for (const [what, steps] of Object.entries(forged)) {
      it.effect(`is none in ${what} that nobody's client would send`, () =>
        Effect.gen(function* () {
          for (const client of [as.anon(), as.user(buyer), as.service()]) {
            const { error } = yield* Effect.promise(async () =>
              client.rpc("supabase_pool_transaction", { idempotency_key: randomUUID(), steps })
            )
            assert.notStrictEqual(error?.code, "42601")
            assert.notStrictEqual(error?.code, "XX000")
          }
          yield* guarded
        })
      )
    }
  })
})
