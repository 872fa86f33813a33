/** Executed once or not at all, whatever gets lost on the way; and somebody says which. */
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { assert, describe, it, layer as provided } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Fiber, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"
import { as, embedded, ids, userToken } from "../support/embedded.js"
import { failureOf, layer } from "../support/httpServer.js"
import { program } from "../support/program.js"
import { type Fault, make, type TcpProxy } from "../support/tcpProxy.js"
import { database, failure } from "../support/transactions.js"

const { anonKey, serviceRoleKey } = embedded
const keys = { anonKey, serviceRoleKey }
const upstream = Number(new URL(embedded.url).port)

const behind = <A, E>(
  test: (proxy: TcpProxy) => Effect.Effect<A, E, Db.Provided>,
  options: {
    readonly fault?: Fault
    readonly script?: ReadonlyArray<Fault>
    readonly maxRetries?: number
    readonly requestTimeout?: "2 seconds"
  } = {}
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const proxy = yield* make(upstream)
      proxy.fault = options.fault ?? proxy.fault
      proxy.script.push(...(options.script ?? []))
      const pool = {
        maxRetries: options.maxRetries ?? 0,
        retryDelay: "1 millis",
        enableHealthChecks: false,
        requestTimeout: options.requestTimeout ?? "30 seconds"
      } as const
      return yield* Effect.provide(test(proxy), layer(proxy.url, pool, keys))
    })
  )

/** How many rows the transaction left, asked past proxy and pool. */
const rows = (key: string): Effect.Effect<number> =>
  Effect.promise(async () => {
    const { data } = await as.service().from("notes").select("id").like("body", `${key}%`)
    return data?.length ?? -1
  })

/** Long, so that its answer is: what is cut off after 1,000 bytes is surely in the middle of it. */
const insert = (key: string) =>
  Db.transaction(
    [
      (client) =>
        client
          .from("notes")
          .insert({ body: `${key}${"x".repeat(2_000)}` })
          .select("id, body")
          .single()
    ],
    { idempotencyKey: key }
  )

const lost: Readonly<Record<string, Fault>> = {
  "at its first byte": { kind: "resetAfterRequest", bytes: 1 },
  "in the middle": { kind: "resetAfterRequest", bytes: 1_500 },
  "cut in its headers": { kind: "cutRequest", bytes: 100 },
  "cut in its body": { kind: "cutRequest", bytes: 1_500 }
}

const answerLost: Readonly<Record<string, Fault>> = {
  "as a whole": { kind: "cutAnswer", bytes: 0, how: "reset" },
  "after its first byte": { kind: "cutAnswer", bytes: 1, how: "reset" },
  "in its headers": { kind: "cutAnswer", bytes: 60, how: "end" },
  "in its body": { kind: "cutAnswer", bytes: 1_000, how: "end" },
  "in its body, with a reset": { kind: "cutAnswer", bytes: 1_000, how: "reset" }
}

describe("a transaction whose request is lost", () => {
  for (const [where, fault] of Object.entries(lost)) {
    it.live(`${where}: the error leaves it open, settle says no, and it stays no`, () =>
      behind(
        (proxy) =>
          Effect.gen(function* () {
            const key = randomUUID()
            const error = yield* failureOf(insert(key))
            assert.strictEqual(error._tag, "ConnectionFailed")
            assert.isTrue(error.mayHaveExecuted)
            proxy.fault = { kind: "none" }
            assert.isFalse(yield* Transaction.settle(key))
            const late = yield* failure(insert(key))
            assert.deepInclude(late, { failed: "TransactionFailed", step: -1, code: "57014" })
            assert.isFalse(yield* Transaction.settle(key))
            assert.strictEqual(yield* rows(key), 0)
          }),
        { fault }
      )
    )

    it.live(`${where}: sent again by itself, it is executed once`, () =>
      behind(
        (proxy) =>
          Effect.gen(function* () {
            const key = randomUUID()
            const sending = yield* Effect.fork(insert(key))
            yield* proxy.until(() => proxy.received() > 0)
            proxy.fault = { kind: "none" }
            const [row] = yield* Fiber.join(sending)
            assert.include(row.body, key)
            assert.strictEqual(yield* rows(key), 1)
          }),
        { fault, maxRetries: 3 }
      )
    )
  }
})

describe("a transaction whose request is late", () => {
  it.live("is not executed any more once the database has refused its repetition", () =>
    behind(
      (proxy) =>
        Effect.gen(function* () {
          const key = randomUUID()
          const n = 690_001
          const taken = as.service().from("notes").insert({ n, body: "taken" }).throwOnError()
          yield* Effect.promise(async () => taken)
          const refused = yield* failure(
            Db.transaction([(client) => client.from("notes").insert({ n, body: key })], { idempotencyKey: key })
          )
          assert.deepInclude(refused, { failed: "TransactionFailed", step: 0, code: "23505" })
          // Now nothing would be in its way.
          yield* Effect.promise(async () => as.service().from("notes").delete().eq("n", n).throwOnError())
          yield* proxy.release()
          assert.strictEqual(yield* rows(key), 0)
        }),
      { script: [{ kind: "none" }, { kind: "holdRequest" }], maxRetries: 3, requestTimeout: "2 seconds" }
    )
  )
})

describe("a transaction whose answer is lost", () => {
  for (const [where, fault] of Object.entries(answerLost)) {
    it.live(`${where}: the error leaves it open, settle says yes, and the same key gives the answer`, () =>
      behind(
        (proxy) =>
          Effect.gen(function* () {
            const key = randomUUID()
            const error = yield* failureOf(insert(key))
            assert.isTrue(error.mayHaveExecuted)
            proxy.fault = { kind: "none" }
            assert.isTrue(yield* Transaction.settle(key))
            const [row] = yield* insert(key)
            assert.include(row.body, key)
            assert.strictEqual(yield* rows(key), 1)
          }),
        { fault }
      )
    )

    it.live(`${where}: sent again by itself, it is executed once`, () =>
      behind(
        (proxy) =>
          Effect.gen(function* () {
            const key = randomUUID()
            const sending = yield* Effect.fork(insert(key))
            yield* proxy.until(() => proxy.received() > 0)
            proxy.fault = { kind: "none" }
            const [row] = yield* Fiber.join(sending)
            assert.include(row.body, key)
            assert.strictEqual(yield* rows(key), 1)
          }),
        { fault, maxRetries: 3 }
      )
    )
  }

  it.live("and whose caller is interrupted has been executed, and settle says so", () =>
    behind(
      (proxy) =>
        Effect.gen(function* () {
          const key = randomUUID()
          const sending = yield* Effect.fork(insert(key))
          yield* proxy.until(() => proxy.answered() > 0)
          yield* Fiber.interrupt(sending)
          proxy.fault = { kind: "none" }
          assert.isTrue(yield* Transaction.settle(key))
          assert.strictEqual(yield* rows(key), 1)
        }),
      { fault: { kind: "keepAnswer" } }
    )
  )
})

const stocked = Db.table("notes", Schema.Struct({ id: Schema.String, body: Schema.String, amount: Schema.Number }))

/** A row with one piece left of it, and who takes it. */
const last = Effect.map(
  Effect.promise(async () => as.service().from("notes").insert({ amount: 1 }).select("id").single().throwOnError()),
  ({ data }) => {
    const id = String(data.id)
    const take = (key: string) =>
      Db.transaction(
        [
          (client) => client.from("notes").insert({ body: key }),
          stocked.updateStep(id, { amount: Transaction.decrement(1) }, { expect: { amount: Transaction.atLeast(1) } })
        ],
        { idempotencyKey: key }
      )
    const left = Effect.promise(async () => {
      const { data: row } = await as.service().from("notes").select("amount").eq("id", id).single().throwOnError()
      return row.amount
    })
    return { id, take, left }
  }
)

describe("a transaction that counts and expects", () => {
  for (const [where, fault] of Object.entries(answerLost)) {
    it.live(
      `is executed once when its answer is lost ${where}: its repetition meets no guard that it has broken itself`,
      () =>
        behind(
          (proxy) =>
            Effect.gen(function* () {
              const key = randomUUID()
              const { left, take } = yield* last
              const sending = yield* Effect.fork(take(key))
              yield* proxy.until(() => proxy.received() > 0)
              proxy.fault = { kind: "none" }
              const [, row] = yield* Fiber.join(sending)
              assert.strictEqual(row.amount, 0)
              assert.deepStrictEqual([yield* left, yield* rows(key)], [0, 1])
              const again = yield* take(key)
              assert.deepStrictEqual(again[1], row)
              const other = yield* failureOf(take(`${key} other`))
              assert.deepInclude(other, { _tag: "GuardFailed", step: 1, column: "amount", guard: "at least 1" })
              assert.deepStrictEqual([yield* left, yield* rows(key)], [0, 1])
            }),
          { fault, maxRetries: 3 }
        )
    )
  }

  for (const [what, refusal] of Object.entries({
    "a guard that does not hold": {
      tag: "GuardFailed",
      spoil: (id: string) => as.service().from("notes").update({ amount: 0 }).eq("id", id)
    },
    "a row that is gone": {
      tag: "RowNotFound",
      spoil: (id: string) => as.service().from("notes").delete().eq("id", id)
    }
  })) {
    it.live(`whose request is late and whose repetition is refused by ${what} is not executed any more`, () =>
      behind(
        (proxy) =>
          Effect.gen(function* () {
            const key = randomUUID()
            const { id, take } = yield* last
            yield* Effect.promise(async () => refusal.spoil(id).throwOnError())
            const refused = yield* failureOf(take(key))
            assert.strictEqual(refused._tag, refusal.tag)
            // Now nothing would be in its way.
            yield* Effect.promise(async () => as.service().from("notes").upsert({ id, amount: 1 }).throwOnError())
            yield* proxy.release()
            assert.strictEqual(yield* rows(key), 0)
            assert.isFalse(yield* Transaction.settle(key))
          }),
        { script: [{ kind: "none" }, { kind: "holdRequest" }], maxRetries: 3, requestTimeout: "2 seconds" }
      )
    )
  }
})

/** Node with the program that sends one transaction. */
const child = (url: string, key: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program("test/support/transactionChild.ts"), url, anonKey, serviceRoleKey, key], {
        stdio: ["ignore", "inherit", "inherit"]
      })
    ),
    (running) => Effect.sync(() => running.kill("SIGKILL"))
  )

describe("a transaction whose process is killed", () => {
  const killed = (fault: Fault, when: (proxy: TcpProxy) => boolean) =>
    behind(
      (proxy) =>
        Effect.gen(function* () {
          const key = randomUUID()
          const process = yield* child(proxy.url, key)
          yield* proxy.until(() => when(proxy))
          process.kill("SIGKILL")
          proxy.fault = { kind: "none" }
          const executed = yield* Transaction.settle(key)
          return { executed, rows: yield* rows(key) }
        }).pipe(Effect.scoped),
      { script: [{ kind: "none" }, { kind: "none" }], fault }
    )

  it.live("before the database has its request was not executed, and never will be", () =>
    Effect.gen(function* () {
      const end = yield* killed({ kind: "silence" }, (proxy) => proxy.received() > 0)
      assert.deepStrictEqual(end, { executed: false, rows: 0 })
    })
  )

  it.live("while nobody knows how far it has come was executed once or not at all, and settle says which", () =>
    Effect.gen(function* () {
      const end = yield* killed({ kind: "none" }, (proxy) => proxy.received() > 0)
      assert.strictEqual(end.rows, end.executed ? 1 : 0)
    })
  )

  it.live("before it has the answer was executed once", () =>
    Effect.gen(function* () {
      const end = yield* killed({ kind: "keepAnswer" }, (proxy) => proxy.answered() > 0)
      assert.deepStrictEqual(end, { executed: true, rows: 1 })
    })
  )
})

describe("an idempotency key", () => {
  const note = (key: string, body = key) =>
    Db.transaction([(client) => client.from("notes").insert({ body }).select("id").single()], { idempotencyKey: key })

  provided(database(), { excludeTestServices: true })((it) => {
    it.effect("makes one of many arrivals, also of those at the same time", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const all = yield* Effect.all([note(key), note(key), note(key)], { concurrency: "unbounded" })
        const later = yield* note(key)
        assert.strictEqual(new Set([...all, later].map(([{ id }]) => id)).size, 1)
        assert.strictEqual(yield* rows(key), 1)
      })
    )

    it.effect("that nobody gave is new with each call", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        const twice = Db.transaction([(client) => client.from("notes").insert({ body })])
        yield* twice
        yield* twice
        assert.strictEqual(yield* rows(body), 2)
      })
    )

    it.effect("is refused with other steps: other values, another order, one more", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const first = (client: SupabaseClient) => client.from("notes").insert({ body: `${key} 1` })
        const second = (client: SupabaseClient) => client.from("notes").insert({ body: `${key} 2` })
        yield* Db.transaction([first, second], { idempotencyKey: key })
        const refused = yield* Effect.forEach(
          [[second, first], [first], [first, first], [first, second, second]],
          (steps) => failure(Db.transaction(steps, { idempotencyKey: key }))
        )
        for (const failed of refused) {
          assert.deepStrictEqual(failed, {
            failed: "TransactionFailed",
            step: -1,
            operation: "",
            code: "22023",
            reason: "this idempotency key was used for another transaction"
          })
        }
        assert.strictEqual(yield* rows(key), 2)
      })
    )

    it.effect("of a transaction that failed is free again", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const failed = yield* failure(
          Db.transaction(
            [
              (client) => client.from("notes").insert({ body: key }),
              (client) => client.from("notes").insert({ id: "no uuid" })
            ],
            { idempotencyKey: key }
          )
        )
        assert.deepInclude(failed, { failed: "TransactionFailed", step: 1, code: "22P02" })
        assert.strictEqual(yield* rows(key), 0)
        yield* note(key)
        assert.strictEqual(yield* rows(key), 1)
      })
    )

    it.effect("has 1 to 255 characters", () =>
      Effect.gen(function* () {
        const body = randomUUID()
        for (const key of ["", "x".repeat(256)]) {
          const refusals = [yield* failure(note(key, body)), yield* failure(Transaction.settle(key))]
          assert.deepStrictEqual(
            refusals.map(({ code, reason }) => [code, reason]),
            Array(2).fill(["22023", "an idempotency key has 1 to 255 characters"])
          )
        }
        const longest = `${"ü".repeat(219)}${body}`
        yield* note(longest, body)
        assert.isTrue(yield* Transaction.settle(longest))
        assert.strictEqual(yield* rows(body), 1)
      })
    )

    it.effect("whose result is too large to be kept is executed once, and who sends it again is told so", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const body = `${key} ${"x".repeat(40_000)}`
        const large = Db.transaction([(client) => client.from("notes").insert({ body }).select("id, body").single()], {
          idempotencyKey: key
        })
        const [first] = yield* large
        assert.strictEqual(first.body, body)
        const again = yield* Effect.flip(large)
        assert.deepInclude(again, { _tag: "TransactionFailed", code: "RESULT_GONE", step: -1, executed: true })
        assert.deepStrictEqual([again.mayHaveExecuted, again.isTransient], [true, false])
        assert.include(again.message, "It was executed, once.")
        assert.include(again.message, "supabase_pool.max_kept_bytes()")
        assert.isTrue(yield* Transaction.settle(key))
        const found = yield* Db.read((client) => client.from("notes").select("id").like("body", `${key}%`))
        assert.deepStrictEqual(found, [{ id: first.id }])
      })
    )

    it.effect("of a transaction that only reads is free: it is read again, until it is settled", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const read = Db.transaction([(client) => client.from("notes").select("id").eq("body", key)], {
          idempotencyKey: key
        })
        assert.deepStrictEqual(yield* read, [[]])
        yield* Db.write((client) => client.from("notes").insert({ body: key }))
        assert.strictEqual((yield* read)[0].length, 1)
        assert.isFalse(yield* Transaction.settle(key))
        assert.deepInclude(yield* failure(read), { failed: "TransactionFailed", code: "57014" })
      })
    )

    it.effect("of one user says nothing to another, and takes nothing from them", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const asUser = (n: number) => Db.withAccessToken(userToken(ids.user(n)))
        const [{ id: first }] = yield* note(key).pipe(asUser(12))
        assert.isFalse(yield* Transaction.settle(`${key} of 12`).pipe(asUser(13)))
        const [{ id: second }] = yield* note(key).pipe(asUser(13))
        assert.notStrictEqual(first, second)
        assert.isTrue(yield* Transaction.settle(key).pipe(asUser(12)))
        // Who has not used it learns only that they have not, whoever else has.
        assert.isFalse(yield* Transaction.settle(key).pipe(asUser(14)))
        assert.isFalse(yield* Transaction.settle(key))
        assert.strictEqual(yield* rows(key), 2)
      })
    )

    it.effect("without a user is one with the steps: nobody gets somebody else's result, nobody can settle", () =>
      Effect.gen(function* () {
        const key = randomUUID()
        const asNobody = Db.withAccessToken(anonKey)
        const [{ id: one }] = yield* note(key).pipe(asNobody)
        const [{ id: same }] = yield* note(key).pipe(asNobody)
        const [{ id: other }] = yield* note(key, `${key} other`).pipe(asNobody)
        assert.strictEqual(one, same)
        assert.notStrictEqual(one, other)
        assert.deepInclude(yield* failure(Transaction.settle(key).pipe(asNobody)), { code: "42501" })
        assert.strictEqual(yield* rows(key), 2)
      })
    )
  })
})
