/** The same ten kinds of operations by way of each library: of a table and the one that it refers to. */

export interface Library {
  readonly name: string
  /** The beginning of a module, which has a table of its own. */
  readonly head: (table: string) => string
  readonly kinds: ReadonlyArray<(t: string, owner: string) => string>
}

const effect: Library = {
  name: "effect-supabase-pool",
  head: (t) => `import { Effect, Schema } from "effect"
import { Db } from "effect-supabase-pool"
import type { Database } from "./database.js"
const db = Db.typed<Database>()
const Row = Schema.Struct({ id: Schema.UUID, title: Schema.String, price: Schema.Number, created_at: Schema.Date })
const rows = Db.table("${t}", Row, { generated: ["id", "created_at"], search: ["title"] })
`,
  kinds: [
    (t) =>
      `(id: string) => db.read((client) => client.from("${t}").select("id, title, price").eq("id", id).single()).pipe(Effect.map(({ title }) => title), Effect.catchTag("RowNotFound", () => Effect.succeed("")))`,
    (t, owner) =>
      `db.read((client) => client.from("${t}").select("id, title, owner:${owner}(title, price)").gt("price", 3).order("title").limit(10))`,
    (t) =>
      `(title: string) => db.write((client) => client.from("${t}").insert({ title, price: 1 }).select("id, title").single(), { idempotent: true })`,
    (t) =>
      `Effect.gen(function* () { const all = yield* db.read((client) => client.from("${t}").select("*").order("id")); return all.map(({ price }) => price) })`,
    (t) =>
      `db.transaction([(client) => client.from("${t}").insert({ title: "a", price: 1 }).select("id").single(), (client) => client.from("${t}").update({ stock: 1 }).eq("id", "x").select("stock")])`,
    () =>
      `Effect.gen(function* () { const row = yield* rows.create({ title: "a", price: 2 }); yield* rows.update(row.id, { price: 3 }); return yield* rows.list({ where: { title: "a" }, orderBy: "price", limit: 3 }) })`,
    (t) =>
      `db.response((client) => client.from("${t}").select("id", { count: "exact" }).limit(1)).pipe(Effect.map(({ count }) => count))`,
    () =>
      `db.write((client) => client.rpc("f", { n: 1 })).pipe(Effect.catchAll((error) => Effect.succeed(error.isTransient ? [] : [{ a: error.message }])))`,
    (t) =>
      `db.write((client) => client.from("${t}").delete().lt("price", 2)).pipe(Effect.retry({ times: 2 }), Effect.timeout("3 seconds"))`,
    () =>
      `rows.search({ query: "x", limit: 2 }).pipe(Effect.flatMap((found) => Effect.forEach(found, ({ id }) => rows.get(id))))`
  ]
}

const promise: Library = {
  name: "effect-supabase-pool/promise",
  head: (t) => `import { typed } from "effect-supabase-pool/promise"
import type { Database } from "./database.js"
const database = typed<Database>()
const pooled = database.getPooledClient()
const rows = database.table("${t}", { columns: ["id", "title", "price", "created_at"], search: ["title"] })
`,
  kinds: [
    (t) =>
      `(id: string) => pooled.read(async (client) => { const { data, error } = await client.from("${t}").select("id, title, price").eq("id", id).single(); return error === null ? data.title : "" })`,
    (t, owner) =>
      `() => pooled.read((client) => client.from("${t}").select("id, title, owner:${owner}(title, price)").gt("price", 3).order("title").limit(10))`,
    (t) =>
      `(title: string) => pooled.write((client) => client.from("${t}").insert({ title, price: 1 }).select("id, title").single(), { idempotent: true })`,
    (t) =>
      `async () => { const all = await database.executeWithPool(async (client) => (await client.from("${t}").select("*").order("id").throwOnError()).data); return all.map(({ price }) => price) }`,
    (t) =>
      `() => database.db.transaction([(client) => client.from("${t}").insert({ title: "a", price: 1 }).select("id").single(), (client) => client.from("${t}").update({ stock: 1 }).eq("id", "x").select("stock")])`,
    () =>
      `async () => { const row = await rows.create({ title: "a", price: 2 }); await rows.update(row.id, { price: 3 }); return rows.list({ where: { title: "a" }, orderBy: "price", limit: 3 }) }`,
    (t) =>
      `async () => { const { count } = await pooled.read((client) => client.from("${t}").select("id", { count: "exact" }).limit(1)); return count }`,
    () =>
      `async () => { try { return await database.rpc("f", { n: 1 }) } catch (error) { return [{ a: String(error) }] } }`,
    (t) => `() => pooled.write((client) => client.from("${t}").delete().lt("price", 2))`,
    () =>
      `async () => { const found = await rows.search({ query: "x", limit: 2 }); return Promise.all(found.map(({ id }) => rows.get(id))) }`
  ]
}

const columns = "id, title, price, created_at"

/** The least that there can be: the builders of supabase-js, and nothing around them. */
const supabase: Library = {
  name: "@supabase/supabase-js",
  head: () => `import { createClient } from "@supabase/supabase-js"
import type { Database } from "./database.js"
const client = createClient<Database>("http://127.0.0.1:54321", "key")
`,
  kinds: [
    (t) =>
      `async (id: string) => { const { data, error } = await client.from("${t}").select("id, title, price").eq("id", id).single(); return error === null ? data.title : "" }`,
    (t, owner) =>
      `async () => { const { data, error } = await client.from("${t}").select("id, title, owner:${owner}(title, price)").gt("price", 3).order("title").limit(10); if (error !== null) throw error; return data }`,
    (t) =>
      `async (title: string) => { const { data, error } = await client.from("${t}").insert({ title, price: 1 }).select("id, title").single(); if (error !== null) throw error; return data }`,
    (t) =>
      `async () => { const { data, error } = await client.from("${t}").select("*").order("id"); if (error !== null) throw error; return data.map(({ price }) => price) }`,
    (t) =>
      `async () => { const made = await client.from("${t}").insert({ title: "a", price: 1 }).select("id").single(); const changed = await client.from("${t}").update({ stock: 1 }).eq("id", "x").select("stock"); if (made.error !== null) throw made.error; if (changed.error !== null) throw changed.error; return [made.data, changed.data] as const }`,
    (t) =>
      `async () => { const { data: row, error } = await client.from("${t}").insert({ title: "a", price: 2 }).select("${columns}").single(); if (error !== null) throw error; await client.from("${t}").update({ price: 3 }).eq("id", row.id); const { data } = await client.from("${t}").select("${columns}").eq("title", "a").order("price").limit(3); return data }`,
    (t) =>
      `async () => { const { count } = await client.from("${t}").select("id", { count: "exact" }).limit(1); return count }`,
    () =>
      `async () => { const { data, error } = await client.rpc("f", { n: 1 }); return error === null ? data : [{ a: error.message }] }`,
    (t) =>
      `async () => { const { error } = await client.from("${t}").delete().lt("price", 2); if (error !== null) throw error }`,
    (t) =>
      `async () => { const { data } = await client.from("${t}").select("${columns}").ilike("title", "%x%").limit(2); return Promise.all((data ?? []).map(({ id }) => client.from("${t}").select("${columns}").eq("id", id).single())) }`
  ]
}

export const libraries = { effect, promise, supabase }
