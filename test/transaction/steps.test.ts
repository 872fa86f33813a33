/** Tables' steps: what a transaction gives is decoded, what it expects is looked at, and counting loses nothing. */
import { randomUUID } from "node:crypto"
import { assert, describe, layer } from "@effect/vitest"
import { BigDecimal, Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"
import { as, ids, userToken } from "../support/embedded.js"
import { database } from "../support/transactions.js"

const Note = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.NullOr(Schema.Int),
  amount: Schema.NullOr(Schema.BigDecimal),
  done: Schema.Boolean,
  writtenAt: Schema.propertySignature(Schema.Date).pipe(Schema.fromKey("at"))
})

const notes = Db.table("notes", Note, {
  generated: ["id", "n", "amount", "done", "writtenAt"],
  cast: { amount: "text" }
})

/** What is counted has a value. */
const Counter = Schema.Struct({
  id: Schema.UUID,
  body: Schema.String,
  n: Schema.Int.pipe(Schema.between(0, 100)),
  amount: Schema.BigDecimal
})

const counters = Db.table("notes", Counter, { generated: ["id"], cast: { amount: "text" } })

const Large = Schema.Struct({ id: Schema.UUID, big: Schema.BigInt })

/** Beyond what a number of JavaScript's can hold. */
const large = Db.table("tx_bytes", Large, { generated: ["id"], cast: { big: "text" } })

/** As somebody would describe it who has not looked. */
const mistaken = Db.table("notes", Schema.Struct({ id: Schema.UUID, body: Schema.Int }), { generated: ["id"] })

const bodies = (like: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const { data } = await as
      .service()
      .from("notes")
      .select("body")
      .like("body", `${like}%`)
      .order("body")
      .throwOnError()
    return data.map(({ body }) => body)
  })

/** No two tests have the same: `n` is unique. */
let last = 70_000
const unique = (): number => {
  last += 1
  return last
}

const counter = (n = 5) => {
  const body = randomUUID()
  return Effect.map(
    Db.write((client) => client.from("notes").insert({ body, n: null, amount: "1.50" }).select("id").single()),
    ({ id }) => ({ body, id: String(id), n })
  )
}

layer(database(), { excludeTestServices: true, timeout: 60_000 })("tables' steps in a transaction", (it) => {
  describe("what they give", () => {
    it.effect("is decoded by the table's schema, casts and names of the program's own included, for each step", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const n = unique()
        const big = 9_007_199_254_740_993n
        const amount = BigDecimal.unsafeFromString("12.34")
        const [made, both, one, all, same, gone, plain] = yield* Db.transaction([
          notes.createStep({ body: `${body} 1`, n, amount }),
          notes.createManyStep([{ body: `${body} 2` }, { body: `${body} 3`, done: true }]),
          large.createStep({ big }),
          notes.listStep({ filter: (query) => query.like("body", `${body}%`), orderBy: "body" }),
          notes.listStep({ where: { n }, limit: 1 }),
          notes.listStep({ where: { body: "nobody's" } }),
          (client) => client.from("notes").select("body").eq("n", n).single()
        ])
        assert.deepInclude(made, { body: `${body} 1`, n, done: false })
        assert.isTrue(made.amount !== null && BigDecimal.equals(made.amount, amount))
        assert.instanceOf(made.writtenAt, Date)
        assert.deepStrictEqual(
          both.map((row) => [row.body, row.done]),
          [
            [`${body} 2`, false],
            [`${body} 3`, true]
          ]
        )
        assert.strictEqual(one.big, big)
        assert.deepStrictEqual(
          all.map((row) => row.body),
          [1, 2, 3].map((nth) => `${body} ${nth}`)
        )
        assert.deepStrictEqual(same, [made])
        assert.deepStrictEqual([gone, plain], [[], { body: `${body} 1` }])
      })
    )

    it.effect("is the row as it is after an update, and as it was before it was removed", () =>
      Effect.gen(function* () {
        const { body, id } = yield* counter()
        const [changed, same, written, gone] = yield* Db.transaction([
          notes.updateStep(id, { body: `${body} new` }),
          notes.updateStep(id, {}),
          notes.upsertStep({ id, body: `${body} newer` }),
          notes.removeStep(id)
        ])
        assert.deepStrictEqual(
          [changed, same, written, gone].map((row) => row.body.slice(body.length)),
          [" new", " new", " newer", " newer"]
        )
        assert.deepStrictEqual(yield* bodies(body), [])
      })
    )

    it.effect("that does not decode says that the transaction is committed, at which step, and is not sent again", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const error = yield* Effect.flip(
          Db.transaction([
            notes.createStep({ body }),
            mistaken.getStep(Transaction.ref(0, "id")),
            (client) => client.from("notes").insert({ body: `${body} 2` })
          ])
        )
        assert.deepInclude(error, { _tag: "DecodeError", step: 1, stage: "write", table: "notes", path: "body" })
        assert.deepStrictEqual([error.mayHaveExecuted, error.isTransient], [true, false])
        assert.include(error.message, "The transaction is committed")
        assert.deepStrictEqual(yield* bodies(body), [body, `${body} 2`])
      })
    )

    it.effect("where they only read and do not decode says that nothing was changed", () =>
      Effect.gen(function* () {
        const { id } = yield* counter()
        const error = yield* Effect.flip(Db.transaction([notes.getStep(id), mistaken.getStep(id)]))
        assert.deepInclude(error, { _tag: "DecodeError", step: 1, stage: "read" })
        assert.include(error.message, "The row in the database is unchanged")
      })
    )

    it.effect("is refused before anything is sent where a value does not encode, with its step", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const error = yield* Effect.flip(
          Db.transaction([notes.createStep({ body }), notes.createStep({ body, n: 1.5 })])
        )
        assert.deepInclude(error, { _tag: "DecodeError", step: 1, stage: "encode", path: "n" })
        assert.include(error.message, "Nothing was sent")
        assert.deepStrictEqual(yield* bodies(body), [])
      })
    )
  })

  describe("no row", () => {
    it.effect("is RowNotFound with its step and its key, and undoes what came before", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const nobody = randomUUID()
        const steps = [
          notes.getStep(nobody),
          notes.getStep(nobody, { lock: "update" }),
          notes.updateStep(nobody, { done: true }),
          notes.updateStep(nobody, { done: true }, { expect: { done: false } }),
          notes.updateStep(nobody, {}),
          notes.removeStep(nobody)
        ]
        for (const step of steps) {
          const error = yield* Effect.flip(Db.transaction([notes.createStep({ body }), step]))
          assert.deepInclude(error, { _tag: "RowNotFound", step: 1, table: "notes", id: nobody, executed: false })
          assert.isFalse(error.mayHaveExecuted)
        }
        assert.deepStrictEqual(yield* bodies(body), [])
      })
    )

    it.effect("of a client's step with single() is RowNotFound too", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const error = yield* Effect.flip(
          Db.transaction([
            (client) => client.from("notes").insert({ body }),
            (client) => client.from("notes").select("id").eq("n", -1).single()
          ])
        )
        assert.deepInclude(error, { _tag: "RowNotFound", step: 1, table: "notes" })
        assert.deepStrictEqual(yield* bodies(body), [])
      })
    )

    it.effect("to refer to is that of the step that gave none", () =>
      Effect.gen(function* () {
        const none = notes.listStep({ where: { body: "nobody's" } })
        const error = yield* Effect.flip(
          Db.transaction([none, notes.createStep({ body: Transaction.ref(none, "body") })])
        )
        assert.deepInclude(error, { _tag: "RowNotFound", step: 0, table: "notes" })
        assert.include(error.message, "step 1 refers to it")
      })
    )
  })

  describe("a reference", () => {
    it.effect("is to a column of the schema, wherever a value is expected", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const first = notes.createStep({ body, n: unique() })
        const second = notes.createStep({
          body: Transaction.ref(first, "body"),
          writtenAt: Transaction.ref(first, "writtenAt")
        })
        const [one, other, , found, byClient] = yield* Db.transaction([
          first,
          second,
          notes.updateStep(
            Transaction.ref(second, "id"),
            { n: null, done: true },
            { expect: { body: Transaction.ref(first, "body") } }
          ),
          notes.getStep(Transaction.ref(second, "id")),
          (client) => client.from("notes").select("n").eq("id", Transaction.ref(first, "id")).single()
        ])
        assert.deepStrictEqual([other.body, other.writtenAt], [one.body, one.writtenAt])
        assert.deepStrictEqual(found, { ...other, done: true })
        assert.deepStrictEqual(byClient, { n: one.n })
      })
    )

    it.effect("to a step that is not in the transaction, or twice, or later, is refused before anything is sent", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const step = notes.createStep({ body })
        const refers = notes.createStep({ body: Transaction.ref(step, "body") })
        const refused = yield* Effect.forEach([[refers], [step, step, refers], [refers, step]], (steps) =>
          Effect.flip(Db.transaction(steps))
        )
        assert.deepStrictEqual(
          refused.map((error) => (error._tag === "TransactionFailed" ? [error.code, error.reason] : error)),
          [
            ["UNSUPPORTED", "a transaction cannot express a reference to a step that is not in it"],
            ["UNSUPPORTED", "a transaction cannot express a reference to a step that is in it twice"],
            ["UNSUPPORTED", "a transaction cannot express a reference to step 1, which does not come before it"]
          ]
        )
        assert.deepStrictEqual(yield* bodies(body), [])
      })
    )

    it("to a column that the schema lacks throws at once", () => {
      const step = notes.getStep(randomUUID())
      assert.throws(() => Reflect.apply(Transaction.ref, undefined, [step, "at"]), /a reference names "at"/)
    })
  })

  describe("what is expected", () => {
    const guards: ReadonlyArray<
      readonly [string, Db.Expect<typeof Note.Type>, failed?: { readonly column: string; readonly guard: string }]
    > = [
      ["a value", { body: "b", done: false }],
      ["another value", { body: "b", done: true }, { column: "done", guard: "true" }],
      [
        "another text, of which the error says nothing",
        { body: "secret" },
        { column: "body", guard: "what was expected" }
      ],
      ["none", { n: null }],
      ["not none", { n: Transaction.not(null) }, { column: "n", guard: "not null" }],
      ["at least", { amount: Transaction.atLeast(BigDecimal.unsafeFromString("1.5")) }],
      [
        "at least more",
        { amount: Transaction.atLeast(BigDecimal.unsafeFromString("1.51")) },
        { column: "amount", guard: "at least what was expected" }
      ],
      ["at least, of none", { n: Transaction.atLeast(0) }, { column: "n", guard: "at least 0" }],
      ["one of", { body: Transaction.oneOf("a", "b") }],
      ["one of none", { body: Transaction.oneOf<string>() }, { column: "body", guard: "one of" }],
      ["one of, with none", { n: Transaction.oneOf<number | null>(1, null) }],
      ["not", { body: Transaction.not("b") }, { column: "body", guard: "not what was expected" }],
      ["more than, of a time", { writtenAt: Transaction.moreThan(new Date(0)) }],
      [
        "less than, of a time",
        { writtenAt: Transaction.lessThan(new Date(0)) },
        { column: "writtenAt", guard: "less than what was expected" }
      ],
      ["the first of several that does not hold", { body: "b", n: 1, done: true }, { column: "n", guard: "1" }]
    ]

    for (const [what, expect, failed] of guards) {
      it.effect(`${what}: ${failed === undefined ? "goes on" : "undoes all, and names step, column and guard"}`, () =>
        Effect.gen(function* () {
          const mark = randomUUID()
          const [{ id }] = yield* Db.transaction([
            notes.createStep({ body: "b", amount: BigDecimal.unsafeFromString("1.50") })
          ])
          for (const step of [
            notes.getStep(id, { expect }),
            notes.getStep(id, { expect, lock: "share" }),
            notes.updateStep(id, { body: "b" }, { expect }),
            notes.updateStep(id, {}, { expect }),
            notes.removeStep(id, { expect })
          ]) {
            const sent = Db.transaction([notes.createStep({ body: mark }), step])
            if (failed === undefined) {
              assert.strictEqual((yield* sent)[1].id, id)
              continue
            }
            const error = yield* Effect.flip(sent)
            assert.deepInclude(error, { _tag: "GuardFailed", step: 1, id, ...failed })
            assert.notInclude(error.message, "secret")
            assert.deepStrictEqual([error.mayHaveExecuted, error.isTransient], [false, false])
          }
          assert.strictEqual((yield* bodies(mark)).length, failed === undefined ? 5 : 0)
          yield* Effect.promise(async () => as.service().from("notes").delete().in("body", [mark]))
          yield* Effect.promise(async () => as.service().from("notes").delete().eq("id", id))
        })
      )
    }

    it.effect("undefined is refused before anything is sent: it would expect nothing", () =>
      Effect.gen(function* () {
        const expect = Object.fromEntries([["body", undefined]])
        const error = yield* Effect.flip(Db.transaction([notes.removeStep(randomUUID(), { expect })]))
        assert.deepInclude(error, { _tag: "DecodeError", stage: "filter", path: "body", step: 0 })
      })
    )

    it.effect("of a row that a user sees and may not change is no row, as without it", () =>
      Effect.gen(function* () {
        const products = Db.table("products", Schema.Struct({ id: Schema.String, stock: Schema.Int }))
        const take = products.updateStep(
          ids.product(1),
          { stock: Transaction.decrement(0) },
          { expect: { stock: Transaction.atLeast(0) } }
        )
        const error = yield* Effect.flip(Db.transaction([take]).pipe(Db.withAccessToken(userToken(ids.user(30)))))
        assert.deepInclude(error, { _tag: "RowNotFound", step: 0, table: "products", id: ids.product(1) })
      })
    )
  })

  describe("counting", () => {
    it.effect("is from what the column has, by numbers of every kind and by an earlier step's", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const n = unique()
        const [{ id }] = yield* Db.transaction([
          notes.createStep({ body, n, amount: BigDecimal.unsafeFromString("1.50") })
        ])
        const [{ id: bigId }] = yield* Db.transaction([large.createStep({ big: 9_007_199_254_740_993n })])
        const wide = Db.table("notes", Schema.Struct({ id: Schema.UUID, body: Schema.String, n: Schema.Int }))
        const read = wide.getStep(id, { lock: "update" })
        const [, once, twice, big] = yield* Db.transaction([
          read,
          Db.table("notes", Schema.Struct({ id: Schema.UUID, amount: Schema.BigDecimal }), {
            cast: { amount: "text" }
          }).updateStep(id, { amount: Transaction.decrement(BigDecimal.unsafeFromString("0.25")) }),
          wide.updateStep(id, { n: Transaction.increment(Transaction.ref(read, "n")), body: `${body} twice` }),
          large.updateStep(bigId, { big: Transaction.increment(2n) })
        ])
        assert.strictEqual(BigDecimal.format(once.amount), "1.25")
        assert.deepInclude(twice, { n: 2 * n, body: `${body} twice` })
        assert.strictEqual(big.big, 9_007_199_254_740_995n)
        yield* Db.write((client) => client.from("notes").delete().eq("id", id))
      })
    )

    it.effect("takes any amount of the column's type, whatever values the schema allows", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const [{ id }] = yield* Db.transaction([
          notes.createStep({ body, n: 90, amount: BigDecimal.unsafeFromString("1") })
        ])
        const [less] = yield* Db.transaction([counters.updateStep(id, { n: Transaction.increment(-80) })])
        assert.strictEqual(less.n, 10)
        for (const amount of [Number.NaN, Number.POSITIVE_INFINITY]) {
          const error = yield* Effect.flip(
            Db.transaction([counters.updateStep(id, { n: Transaction.increment(amount) })])
          )
          assert.strictEqual(error._tag === "DecodeError" ? error.stage : error.message, "encode")
        }
        yield* Db.write((client) => client.from("notes").delete().eq("id", id))
      })
    )
  })
})
