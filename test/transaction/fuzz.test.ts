/** The same random steps, sent one by one and as one transaction, leave the same rows and give the same data. */
import { assert, describe, layer } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Runtime } from "effect"
import * as fc from "effect/FastCheck"
import * as Db from "../../src/Db.js"
import type { StepFunction } from "../../src/internal/transaction/record.js"
import { as } from "../support/embedded.js"
import { database, settled } from "../support/transactions.js"

const table = (client: SupabaseClient) => client.from("tx_fuzz")

/** As much of a builder as narrows the rows. */
interface Filterable {
  readonly filter: (column: string, operator: string, value: unknown) => unknown
  readonly or: (filters: string) => unknown
}

/** A step that says what it is when a run fails. */
interface Act {
  readonly words: string
  readonly step: StepFunction
  /** The keys that rows shall have. */
  readonly keys: ReadonlyArray<string>
}

interface Args {
  readonly gives?: string | null
  readonly [name: string]: unknown
}

const every = ["id", "name", "n", "price", "done", "tags", "data"]

const act = (name: string, args: Args, step: StepFunction): Act => {
  const { gives = "*" } = args
  const keys = gives === null || gives === "*" ? every : gives.split(", ").map((key) => key.replace(/:.*/, ""))
  return { words: `${name} ${JSON.stringify(args)}`, step, keys }
}

// -------------------------------------------------------------------------------------
// values
// -------------------------------------------------------------------------------------

const id = fc.nat(6)
const texts = fc.constantFrom("", "a", "A%", "b_", "it's", 'say "hi"', "a,b", "(x)", "null", "{y}", "ü🦊", "\\", "$1")
const maybe = <A>(value: fc.Arbitrary<A>): fc.Arbitrary<A | null> => fc.option(value, { freq: 4 })

const columns = {
  name: maybe(texts),
  n: maybe(fc.integer({ min: -3, max: 9 })),
  price: maybe(fc.constantFrom(0, 1.5, "2.25", -7, 1e7)),
  done: fc.boolean(),
  tags: maybe(fc.array(texts, { maxLength: 3 })),
  data: maybe(
    fc.oneof(
      fc.dictionary(fc.constantFrom("k", "a b", "1"), fc.oneof(texts, fc.integer(), fc.boolean())),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 })
    )
  )
}

const changes = fc.record(columns, { requiredKeys: [] })

const select = fc.constantFrom(
  "*",
  "id",
  "id, name",
  "id, number:n",
  "id, data, tags, done, price",
  "id, n::text, price::text"
)

// -------------------------------------------------------------------------------------
// filters
// -------------------------------------------------------------------------------------

type Narrow = <Q extends Filterable>(query: Q) => Q

interface Narrowed {
  readonly words: string
  readonly narrow: Narrow
}

const by =
  (column: string, operator: string, value: string): Narrow =>
  (query) => {
    query.filter(column, operator, value)
    return query
  }

type Triple = readonly [column: string, operator: string, value: string]

const tripled = (
  names: ReadonlyArray<string>,
  operators: ReadonlyArray<string>,
  values: ReadonlyArray<string>
): fc.Arbitrary<Triple> =>
  fc.tuple(fc.constantFrom(...names), fc.constantFrom(...operators), fc.constantFrom(...values))

const numbers = ["-3", "0", "1", "2", "3", "5", "9"]

const trees = ["(id.lt.2,id.gt.4)", "(and(id.gte.2,n.is.null),done.is.true)", "(not.and(id.gt.1,id.lt.5))"]

/** Over JSON in the filter of a change lite stumbles, and over an empty array anywhere. */
const ofChanges = [
  tripled(["id"], ["eq", "neq", "gt", "lte", "isdistinct"], numbers),
  tripled(["n"], ["gte", "lt", "eq", "not.eq"], numbers),
  tripled(["name"], ["eq", "neq", "like", "ilike", "match", "not.ilike"], ["a", "A*", "b_", "null"]),
  tripled(["name", "n", "done", "tags", "data"], ["is", "not.is"], ["null"]),
  tripled(["done"], ["is", "not.is"], ["true", "false"]),
  tripled(["id"], ["in", "not.in"], ["(1,2,3)", "()", "(5)", '("0","6")']),
  tripled(["or"], [""], trees)
]

const ofReads = [
  ...ofChanges,
  tripled(["tags"], ["cs", "cd", "ov"], ["{a}", '{"a,b",A%}']),
  tripled(["data"], ["cs", "cd"], ['{"k":"a"}', "{}", "[1]"]),
  tripled(["data->>k"], ["eq", "neq"], ["a", "A%"])
]

const narrowedBy = ([column, operator, value]: Triple): Narrowed => ({
  words: `${column}=${operator}.${value}`,
  narrow:
    column === "or"
      ? (query) => {
          query.or(value.slice(1, -1))
          return query
        }
      : by(column, operator, value)
})

const narrowed = (triples: ReadonlyArray<fc.Arbitrary<Triple>>, minLength: number): fc.Arbitrary<Narrowed> =>
  fc.array(fc.oneof(...triples), { minLength, maxLength: 2 }).map((chosen) => {
    const all = chosen.map(narrowedBy)
    return {
      words: all.map(({ words }) => words).join("&"),
      narrow: (query) => all.reduce((narrower, { narrow }) => narrow(narrower), query)
    }
  })

// -------------------------------------------------------------------------------------
// steps
// -------------------------------------------------------------------------------------

interface Rows {
  readonly given: ReadonlyArray<Record<string, unknown>>
  readonly defaultToNull: boolean
}

/**
 * Rows of one insert have the same columns: of others lite gives back what is not in the table, or fills in defaults
 * that were not asked for. `operations.test.ts` has those.
 */
const rows: fc.Arbitrary<Rows> = fc
  .tuple(
    fc.array(fc.record({ id, ...columns }), { minLength: 1, maxLength: 4 }),
    fc.subarray(every.slice(1)),
    fc.boolean()
  )
  .map(([full, chosen, defaultToNull]) => ({
    given: full.map((one) =>
      Object.fromEntries(Object.entries(one).filter(([key]) => key === "id" || chosen.includes(key)))
    ),
    defaultToNull
  }))

const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(rows, fc.option(select)).map(([{ defaultToNull, given }, gives]) =>
    act("insert", { given, defaultToNull, gives }, (client) => {
      const query = table(client).insert([...given], { defaultToNull })
      return gives === null ? query : query.select(gives)
    })
  ),
  fc
    .tuple(rows, fc.constantFrom("id", "n", undefined), fc.boolean(), fc.option(select))
    .map(([{ defaultToNull, given }, onConflict, ignoreDuplicates, gives]) =>
      act("upsert", { given, onConflict, ignoreDuplicates, defaultToNull, gives }, (client) => {
        const query = table(client).upsert([...given], {
          ignoreDuplicates,
          defaultToNull,
          ...(onConflict === undefined ? {} : { onConflict })
        })
        return gives === null ? query : query.select(gives)
      })
    ),
  fc.tuple(changes, narrowed(ofChanges, 1), fc.option(select)).map(([given, { narrow, words }, gives]) =>
    act("update", { given, words, gives }, (client) => {
      const query = narrow(table(client).update(given))
      return gives === null ? query : query.select(gives)
    })
  ),
  fc.tuple(narrowed(ofChanges, 1), fc.option(select)).map(([{ narrow, words }, gives]) =>
    act("delete", { words, gives }, (client) => {
      const query = narrow(table(client).delete())
      return gives === null ? query : query.select(gives)
    })
  ),
  fc
    .tuple(
      select,
      narrowed(ofReads, 0),
      fc.constantFrom("id", "n", "name"),
      fc.boolean(),
      fc.option(fc.nat(3)),
      fc.option(fc.nat(2))
    )
    .map(([gives, { narrow, words }, order, ascending, limit, from]) =>
      act("select", { gives, words, order, ascending, limit, from }, (client) => {
        const query = narrow(table(client).select(gives)).order(order, { ascending }).order("id")
        if (from !== null) return query.range(from, from + (limit ?? 2))
        return limit === null ? query : query.limit(limit)
      })
    ),
  fc.tuple(narrowed(ofReads, 0), fc.boolean()).map(([{ narrow, words }, maybeNone]) =>
    act("one", { words, maybeNone }, (client) => {
      const query = narrow(table(client).select("id, n"))
      return maybeNone ? query.maybeSingle() : query.single()
    })
  )
)

// -------------------------------------------------------------------------------------
// both ways
// -------------------------------------------------------------------------------------

interface End {
  /** What each step gave; or which failed, and with what code. */
  readonly gave: ReadonlyArray<unknown> | { readonly step: number; readonly code: string }
  readonly left: unknown
}

/** PostgREST has one code for both. */
const sameCode = (code: string): string => (code === "P0002" || code === "P0003" ? "PGRST116" : code)

/** An object's keys come in the order of the columns alone, and in that of jsonb here: JSON has none. */
const text = (row: unknown, keys: ReadonlyArray<string>): string =>
  JSON.stringify(row, (key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([name]) => key !== "" || keys.includes(name))
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
        )
      : value
  )

/** Rows in the order of their text where the step asks for none. */
const inOrder = ({ keys, words }: Act, data: unknown): unknown => {
  if (!Array.isArray(data)) return text(data, keys)
  const texts = data.map((row) => text(row, keys))
  return words.startsWith("select") ? texts : texts.toSorted()
}

const empty = Effect.promise(async () => as.service().from("tx_fuzz").delete().gte("id", 0).throwOnError())

const left = Effect.promise(async () => (await as.service().from("tx_fuzz").select().order("id")).data)

const oneByOne = (steps: ReadonlyArray<Act>): Effect.Effect<End> =>
  Effect.gen(function* () {
    yield* empty
    const client = as.service()
    const gave: Array<unknown> = []
    for (const [index, one] of steps.entries()) {
      const answer: { readonly data?: unknown; readonly error: null | { readonly code?: unknown } } =
        yield* Effect.promise(async () => one.step(client))
      // All or nothing: what came before is undone in a transaction.
      if (answer.error !== null) return { gave: { step: index, code: String(answer.error.code) }, left: [] }
      gave.push(inOrder(one, answer.data))
    }
    return { gave, left: yield* left }
  })

const together = (steps: ReadonlyArray<Act>): Effect.Effect<End, never, Db.Db> =>
  Effect.gen(function* () {
    yield* empty
    const result = yield* settled(Db.transaction(steps.map(({ step }) => step)))
    return {
      gave:
        "failed" in result
          ? { step: result.step ?? -1, code: sameCode(result.failed === "RowNotFound" ? "P0002" : (result.code ?? "")) }
          : steps.map((one, index) => inOrder(one, result[index])),
      left: yield* left
    }
  })

describe("steps one by one and as one transaction", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect(
      "leave the same rows and give the same data, whatever they are",
      () =>
        Effect.gen(function* () {
          const run = Runtime.runPromise(yield* Effect.runtime<Db.Db>())
          const seed = Number(process.env["FUZZ_SEED"] ?? 20250918)
          const numRuns = Number(process.env["FUZZ_RUNS"] ?? 30)
          yield* Effect.promise(async () =>
            fc.assert(
              fc.asyncProperty(fc.array(acts, { minLength: 1, maxLength: 8 }), async (steps) => {
                const alone = await run(oneByOne(steps))
                const asOne = await run(together(steps))
                const said = [...steps.map(({ words }) => words), JSON.stringify({ alone, asOne })]
                assert.deepStrictEqual(asOne, alone, said.join("\n"))
              }),
              { seed, numRuns }
            )
          )
        }),
      60_000
    )
  })
})
