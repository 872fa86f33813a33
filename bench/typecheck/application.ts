/** An application of so many operations, as files: what the compiler is given. */

const tables = 20

const files = 20

const columns = (n: number, mark = ""): string =>
  [
    ["id", "string"],
    ["title", "string"],
    ["price", "number"],
    ["stock", "number"],
    ["note", "string | null"],
    ["created_at", "string"],
    ["owner_id", "string"],
    ["tags", "Array<string>"],
    ["meta", "Json"],
    [`c${n}`, "boolean"]
  ]
    .map(([name, type]) => `${name}${mark}: ${type}`)
    .join("; ")

const next = (n: number): number => (n + 1) % tables

const table = (n: number): string =>
  `t${n}: { Row: { ${columns(n)} }; Insert: { ${columns(n, "?")} }; Update: { ${columns(n, "?")} }; Relationships: [` +
  `{ foreignKeyName: "t${n}_owner"; columns: ["owner_id"]; isOneToOne: false; referencedRelation: "t${next(n)}"; referencedColumns: ["id"] }] }`

const schema = `export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Array<Json>
export type Database = { public: { Tables: {
${Array.from({ length: tables }, (_, n) => table(n)).join("\n")}
}; Views: { [_ in never]: never }; Functions: { f: { Args: { n: number }; Returns: Array<{ a: string }> } }
Enums: { [_ in never]: never }; CompositeTypes: { [_ in never]: never } } }
`

/** One of each kind, of a table and the one that it refers to. */
const kinds: ReadonlyArray<(t: string, owner: string) => string> = [
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

const moduleOf = (file: number, operations: number): string => {
  const head = `import { Effect, Schema } from "effect"
import { Db } from "effect-supabase-pool"
import type { Database } from "./database.js"
const db = Db.typed<Database>()
const Row = Schema.Struct({ id: Schema.UUID, title: Schema.String, price: Schema.Number, created_at: Schema.Date })
const rows = Db.table("t${file}", Row, { generated: ["id", "created_at"], search: ["title"] })
`
  const all = Array.from({ length: operations }, (_, n) => {
    const t = (file + n) % tables
    return `export const operation${n} = ${kinds[n % kinds.length]?.(`t${t}`, `t${next(t)}`) ?? ""}\n`
  })
  return head + all.join("")
}

const compilerOptions = {
  target: "ES2022",
  lib: ["ES2023", "DOM"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"]
}

export const application = (operations: number): ReadonlyMap<string, string> =>
  new Map([
    ["package.json", '{ "type": "module" }'],
    ["tsconfig.json", JSON.stringify({ compilerOptions, include: ["src"] })],
    ["src/database.ts", schema],
    ...Array.from({ length: files }, (_, n): [string, string] => [
      `src/m${n}.ts`,
      moduleOf(n, Math.ceil(operations / files))
    ])
  ])
