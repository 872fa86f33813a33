/** The `Database` type of the generated application, as `supabase gen types` would write it. */

export const tables = 20

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

/** The table that a table refers to. */
export const next = (n: number): number => (n + 1) % tables

const table = (n: number): string =>
  `t${n}: { Row: { ${columns(n)} }; Insert: { ${columns(n, "?")} }; Update: { ${columns(n, "?")} }; Relationships: [` +
  `{ foreignKeyName: "t${n}_owner"; columns: ["owner_id"]; isOneToOne: false; referencedRelation: "t${next(n)}"; referencedColumns: ["id"] }] }`

export const schema = `export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Array<Json>
export type Database = { public: { Tables: {
${Array.from({ length: tables }, (_, n) => table(n)).join("\n")}
}; Views: { [_ in never]: never }; Functions: { f: { Args: { n: number }; Returns: Array<{ a: string }> } }
Enums: { [_ in never]: never }; CompositeTypes: { [_ in never]: never } } }
`
