/** What the compiler makes of a `Database` as `supabase gen types` writes it: whole transactions over it, first of all. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import * as Transaction from "../../src/Transaction.js"
import type { Database } from "./generated.js"

const db = Db.typed<Database>()
const Own = Db.make<Database>()("Generated")

describe("a reference in a transaction over generated types", () => {
  it("fits the column that it is given for: bigint, uuid, an enum, one that may be null", () => {
    const all = db.transaction([
      (client) => client.from("accounts").insert({ owner_id: "u" }).select("id, plan").single(),
      (client) =>
        client.from("entries").insert({
          account_id: Transaction.ref(0, "id"),
          amount: 1,
          plan: Transaction.ref(0, "plan"),
          reversal_of: Transaction.ref(0, "id")
        }),
      (client) =>
        client.from("entries").insert([
          { account_id: Transaction.ref(0, "id"), amount: Transaction.ref(0, "balance"), plan: "free" },
          { account_id: 7, amount: 1, plan: Transaction.ref(0, "plan") }
        ]),
      (client) =>
        client.from("profiles").upsert({ account_id: Transaction.ref(0, "id"), bio: Transaction.ref(0, "owner_id") }),
      (client) =>
        client
          .from("accounts")
          .update({
            balance: Transaction.ref(1, "amount"),
            owner_id: Transaction.ref(0, "owner_id"),
            plan: Transaction.ref(0, "plan"),
            previous_plan: Transaction.ref(0, "plan"),
            verified: Transaction.ref(0, "verified"),
            settings: Transaction.ref(0, "settings"),
            tags: Transaction.ref(0, "tags")
          })
          .eq("id", Transaction.ref(0, "id"))
          .select("id")
    ])
    expectTypeOf(all).toEqualTypeOf<
      Effect.Effect<
        readonly [{ id: number; plan: "free" | "pro" | "team" }, null, null, null, Array<{ id: number }>],
        Db.TransactionError,
        Db.Db
      >
    >()
  })

  it("fits in every filter, and as an argument of a function", () => {
    const id = Transaction.ref<number>(0, "id")
    expectTypeOf(id).toEqualTypeOf<number>()
    const all = db.transaction([
      (client) => client.from("accounts").select("id").eq("id", Transaction.ref(0, "id")).single(),
      (client) => client.from("accounts").select("id").neq("plan", Transaction.ref(0, "plan")),
      (client) => client.from("accounts").select("id").gt("balance", Transaction.ref(0, "balance")),
      (client) =>
        client
          .from("accounts")
          .select("id")
          .in("id", [Transaction.ref(0, "id"), 7]),
      (client) =>
        client
          .from("accounts")
          .select("id")
          .match({ id, plan: Transaction.ref(0, "plan") }),
      (client) => client.from("accounts").select("id").filter("id", "eq", Transaction.ref(0, "id")),
      (client) => client.from("rich_accounts").select("id").eq("id", Transaction.ref(0, "id")),
      (client) => client.from("entries").select("id").eq("accounts.id", Transaction.ref(0, "id")),
      (client) => client.rpc("transfer", { amount: 1, source: Transaction.ref(0, "id"), target: id })
    ])
    expectTypeOf<Effect.Effect.Error<typeof all>>().toEqualTypeOf<Db.TransactionError>()
  })

  it("is a text where nothing says what it stands for, and fits no other type than the one that it is said to have", () => {
    expectTypeOf(Transaction.ref(0, "id")).toEqualTypeOf<string>()
    const refused = [
      // @ts-expect-error: a key of type bigint is no text.
      db.transaction([(client) => client.from("entries").delete().eq("id", Transaction.ref<string>(0, "id"))]),
      db.transaction([
        (client) =>
          client.from("entries").insert({
            // @ts-expect-error: nor an account's number.
            account_id: Transaction.ref<string>(0, "id"),
            amount: 1,
            plan: "free"
          })
      ])
    ]
    expect(refused.every(Effect.isEffect)).toBe(true)
  })

  it("fits in a transaction of a tag of its own, too", () => {
    const all = Own.transaction([
      (client) => client.from("accounts").insert({ owner_id: "u" }).select("id").single(),
      (client) => client.from("entries").insert({ account_id: Transaction.ref(0, "id"), amount: 1, plan: "pro" })
    ])
    expectTypeOf<Effect.Effect.Success<typeof all>>().toEqualTypeOf<readonly [{ id: number }, null]>()
  })
})

describe("rows of generated types", () => {
  it("are those of tables, views, one-to-one relations and computed columns", () => {
    const one = db.read((client) => client.from("accounts").select("id, display_name, profiles(bio)").single())
    expectTypeOf<Effect.Effect.Success<typeof one>>().toEqualTypeOf<{
      id: number
      display_name: string | null
      profiles: { bio: string | null } | null
    }>()
    const view = db.read((client) => client.from("totals").select("total"))
    expectTypeOf<Effect.Effect.Success<typeof view>>().toEqualTypeOf<Array<{ total: number | null }>>()
    const named = db.read((client) => client.from("accounts").select("plan, tags, settings"))
    expectTypeOf<Effect.Effect.Success<typeof named>[number]["plan"]>().toEqualTypeOf<"free" | "pro" | "team">()
  })

  it("are those that a function gives, and a function without arguments is called without", () => {
    const rows = db.read((client) => client.rpc("accounts_of", { owner: "u" }, { get: true }).select("id, plan"))
    expectTypeOf<Effect.Effect.Success<typeof rows>>().toEqualTypeOf<
      Array<{ id: number; plan: "free" | "pro" | "team" }>
    >()
    const time = db.write((client) => client.rpc("now_there"))
    expectTypeOf<Effect.Effect.Success<typeof time>>().toEqualTypeOf<string>()
    const called = db.transaction([(client) => client.rpc("transfer", { amount: 1, source: 1, target: 2 })])
    expectTypeOf<Effect.Effect.Success<typeof called>>().toEqualTypeOf<readonly [undefined]>()
  })

  it("have no column that the schema lacks, and a generated key is not written", () => {
    const refused = [
      // @ts-expect-error: no such column.
      db.read((client) => client.from("accounts").select("id, nmae")),
      // @ts-expect-error: no such column of the view.
      db.read((client) => client.from("totals").select("id")),
      // @ts-expect-error: always generated.
      db.write((client) => client.from("accounts").insert({ id: 1, owner_id: "u" })),
      // @ts-expect-error: no such plan.
      db.write((client) => client.from("accounts").update({ plan: "huge" }).eq("id", 1)),
      // @ts-expect-error: no such column.
      db.transaction([(client) => client.from("accounts").select("nmae").eq("id", Transaction.ref(0, "id"))])
    ]
    expect(refused.every(Effect.isEffect)).toBe(true)
  })
})
