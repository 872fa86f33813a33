/** The same random operations of a table, one by one and as the steps of one transaction, give the same and leave the same. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Either, Runtime, Schema } from "effect"
import * as fc from "effect/FastCheck"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"
import { as } from "../support/embedded.js"
import { database } from "../support/transactions.js"

const Row = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  n: Schema.NullOr(Schema.Int),
  price: Schema.NumberFromString
})

type Row = typeof Row.Type

const table = Db.table("tx_fuzz_steps", Row, { generated: ["name", "n", "price"], cast: { price: "text" } })

/** What a transaction does in one go, one by one: nobody else is there. */
interface Act {
  readonly words: string
  readonly step: Transaction.Step<unknown, unknown, Db.Db>
  readonly alone: Effect.Effect<unknown, Db.DbError | Refused, Db.Db | Db.ReadDb>
}

class Refused {
  readonly _tag = "GuardFailed"
  readonly column: string
  constructor(column: string) {
    this.column = column
  }
}

// -------------------------------------------------------------------------------------
// guards
// -------------------------------------------------------------------------------------

interface Guarded {
  readonly expect: Db.Expect<Row>
  readonly words: string
  readonly holds: (row: Row) => boolean
  readonly column: string
}

const small = fc.integer({ min: -3, max: 9 })
const texts = fc.constantFrom("", "a", "A%", "it's", "a,b", "null", "ü🦊", "\\", "$1", '"q"', "{y}")

const guard: fc.Arbitrary<Guarded> = fc.oneof(
  small.map((n) => ({
    expect: { n: Transaction.atLeast(n) },
    words: `n at least ${n}`,
    column: "n",
    holds: (row: Row) => row.n !== null && row.n >= n
  })),
  small.map((n) => ({
    expect: { n: Transaction.not(n) },
    words: `n not ${n}`,
    column: "n",
    holds: (row: Row) => row.n !== n
  })),
  fc.constant({ expect: { n: null }, words: "n null", column: "n", holds: (row: Row) => row.n === null }),
  fc.array(texts, { maxLength: 3 }).map((names) => ({
    expect: { name: Transaction.oneOf(...names) },
    words: `name one of ${JSON.stringify(names)}`,
    column: "name",
    holds: (row: Row) => names.includes(row.name)
  })),
  texts.map((name) => ({
    expect: { name },
    words: `name ${name}`,
    column: "name",
    holds: (row: Row) => row.name === name
  })),
  small.map((price) => ({
    expect: { price: Transaction.lessThan(price) },
    words: `price less than ${price}`,
    column: "price",
    holds: (row: Row) => row.price < price
  }))
)

const perhaps = fc.option(guard, { nil: undefined, freq: 2 })

const checked = (id: number, guarded: Guarded | undefined) =>
  guarded === undefined
    ? Effect.void
    : Effect.filterOrFail(
        table.get(id),
        (row) => guarded.holds(row),
        () => new Refused(guarded.column)
      )

const said = (guarded: Guarded | undefined): string => (guarded === undefined ? "" : ` if ${guarded.words}`)

const expecting = (guarded: Guarded | undefined) => ({ expect: guarded?.expect })

// -------------------------------------------------------------------------------------
// operations
// -------------------------------------------------------------------------------------

const id = fc.nat(4)

const changes = fc.record(
  { name: texts, n: fc.option(small), price: fc.constantFrom(0, 1.5, -7, 1e6) },
  { requiredKeys: [] }
)

const row = fc.tuple(id, changes).map(([key, rest]) => ({ id: key, ...rest }))

const acts: fc.Arbitrary<Act> = fc.oneof(
  row.map((given) => ({
    words: `create ${JSON.stringify(given)}`,
    step: table.createStep(given),
    alone: table.create(given)
  })),
  fc.array(row, { minLength: 1, maxLength: 3 }).map((given) => ({
    words: `createMany ${JSON.stringify(given)}`,
    step: table.createManyStep(given),
    alone: table.createMany(given)
  })),
  row.map((given) => ({
    words: `upsert ${JSON.stringify(given)}`,
    step: table.upsertStep(given),
    alone: table.upsert(given)
  })),
  fc.tuple(id, changes, perhaps).map(([key, given, guarded]) => ({
    words: `update ${key} ${JSON.stringify(given)}${said(guarded)}`,
    step: table.updateStep(key, given, expecting(guarded)),
    alone: Effect.zipRight(checked(key, guarded), table.update(key, given))
  })),
  fc.tuple(id, fc.nat(3), fc.constantFrom(0.5, -0.25, 60), perhaps).map(([key, less, more, guarded]) => ({
    words: `count ${key} n - ${less}, price + ${more}${said(guarded)}`,
    step: table.updateStep(
      key,
      { id: Transaction.increment(0), price: Transaction.increment(more) },
      expecting(guarded)
    ),
    alone: Effect.zipRight(
      checked(key, guarded),
      Effect.flatMap(table.get(key), ({ price }) => table.update(key, { price: price + more }))
    )
  })),
  fc.tuple(id, perhaps).map(([key, guarded]) => ({
    words: `remove ${key}${said(guarded)}`,
    step: table.removeStep(key, expecting(guarded)),
    alone: Effect.zipRight(checked(key, guarded), table.remove(key))
  })),
  fc
    .tuple(id, perhaps, fc.constantFrom("update" as const, "share" as const, undefined))
    .map(([key, guarded, lock]) => ({
      words: `get ${key} ${lock}${said(guarded)}`,
      step: table.getStep(key, { ...expecting(guarded), lock }),
      alone: Effect.zipRight(checked(key, guarded), table.get(key))
    })),
  fc
    .tuple(fc.constantFrom("n" as const, "name" as const, "price" as const), fc.boolean(), fc.nat(3), fc.boolean())
    .map(([column, descending, limit, locks]) => {
      const options = { orderBy: { column, descending }, limit } as const
      return {
        words: `list ${column} ${descending} ${limit} ${locks}`,
        step: table.listStep(locks ? { ...options, lock: "update" } : options),
        alone: table.list(options)
      }
    })
)

// -------------------------------------------------------------------------------------
// both ways
// -------------------------------------------------------------------------------------

const empty = Effect.promise(async () => as.service().from("tx_fuzz_steps").delete().gte("id", 0).throwOnError())

const left = Effect.promise(async () => (await as.service().from("tx_fuzz_steps").select().order("id")).data)

const reason = (error: Db.DbError | Refused): string => {
  switch (error._tag) {
    case "GuardFailed":
      return `${error._tag} ${error.column}`
    case "QueryError":
    case "TransactionFailed":
      return error.code
    default:
      return error._tag
  }
}

interface End {
  readonly gave: ReadonlyArray<unknown> | { readonly step: number; readonly reason: string }
  readonly left: unknown
}

const oneByOne = (some: ReadonlyArray<Act>): Effect.Effect<End, never, Db.Db | Db.ReadDb> =>
  Effect.gen(function* () {
    yield* empty
    const gave: Array<unknown> = []
    for (const [step, { alone }] of some.entries()) {
      const end = yield* Effect.either(alone)
      if (Either.isLeft(end)) return { gave: { step, reason: reason(end.left) }, left: [] }
      gave.push(end.right)
    }
    return { gave, left: yield* left }
  })

const together = (some: ReadonlyArray<Act>): Effect.Effect<End, never, Db.Db> =>
  Effect.gen(function* () {
    yield* empty
    const end = yield* Effect.either(Db.transaction(some.map(({ step }) => step)))
    if (Either.isRight(end)) return { gave: end.right, left: yield* left }
    const step = "step" in end.left ? (end.left.step ?? -1) : -1
    return { gave: { step, reason: reason(end.left) }, left: yield* left }
  })

describe("operations of a table, one by one and as steps", () => {
  layer(database(), { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect(
      "give the same and leave the same, whatever they expect, lock and count",
      () =>
        Effect.gen(function* () {
          const run = Runtime.runPromise(yield* Effect.runtime<Db.Db | Db.ReadDb>())
          const seed = Number(process.env["FUZZ_SEED"] ?? 20261128)
          const numRuns = Number(process.env["FUZZ_RUNS"] ?? 40)
          yield* Effect.promise(async () =>
            fc.assert(
              fc.asyncProperty(fc.array(acts, { minLength: 1, maxLength: 8 }), async (some) => {
                const alone = await run(oneByOne(some))
                const asOne = await run(together(some))
                const words = [...some.map(({ words }) => words), JSON.stringify({ alone, asOne })]
                assert.deepStrictEqual(asOne, alone, words.join("\n"))
              }),
              { seed, numRuns }
            )
          )
        }),
      60_000
    )
  })
})
