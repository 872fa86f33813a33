/**
 * What an editor shows over an operation: the type as its user would write it. Its errors are one name and not spelled
 * out, nothing is cut, and no type of ours that cannot be imported is in it. (Where operations are composed, TypeScript
 * spells out the union of their errors.)
 */
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"
import { root } from "../support/program.js"

const source = `
import { Schema } from "effect"
import { Db, Transaction } from "effect-supabase-pool"

interface Database {
  public: {
    Tables: {
      products: {
        Row: { id: string; title: string; price: number }
        Insert: { id?: string; title: string; price: number }
        Update: { id?: string; title?: string; price?: number }
        Relationships: []
      }
    }
    Views: Record<never, never>
    Functions: { double: { Args: { n: number }; Returns: number } }
  }
}

const db = Db.typed<Database>()
const Product = Schema.Struct({ id: Schema.UUID, title: Schema.String, price: Schema.Number })
const products = Db.table("products", Product)

export const untyped = Db.read((client) => client.from("products").select("title, price"))
export const typed = db.read((client) => client.from("products").select("title, price"))
export const one = db.read((client) => client.from("products").select("id").single())
export const written = db.write((client) => client.from("products").insert({ title: "a", price: 1 }))
export const called = db.rpc("double", { n: 1 })
export const both = db.transaction([
  (client) => client.from("products").insert({ title: "a", price: 1 }).select("id").single(),
  (client) => client.from("products").update({ price: 2 }).eq("id", Transaction.ref(0, "id"))
])
export const got = products.get("30000000-0000-4000-8000-000000000001")
export const found = products.find("30000000-0000-4000-8000-000000000001")
export const listed = products.list({ where: { price: Db.lt(20) } })
export const created = products.create({ id: "30000000-0000-4000-8000-000000000001", title: "a", price: 1 })
export const streamed = products.stream()
`

const file = `${root}examples/.hovers.ts`

/** What is shown over each exported constant. */
const hovers = (): ReadonlyMap<string, string> => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => ({ ...options, incremental: false, composite: false }),
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) => {
      const text = name === file ? source : ts.sys.readFile(name)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories
  }
  const service = ts.createLanguageService(host)
  const mistakes = service.getSemanticDiagnostics(file).map(({ messageText }) => messageText)
  assert.deepStrictEqual(mistakes, [])
  const shown = [...source.matchAll(/^export const (\w+)/gm)].map(({ 0: text, 1: name = "", index }) => {
    const info = service.getQuickInfoAtPosition(file, index + text.length - 1)
    return [name, ts.displayPartsToString(info?.displayParts ?? []).replace(/^const \w+: /, "")] as const
  })
  service.dispose()
  return new Map(shown)
}

const product = "{ readonly id: string; readonly title: string; readonly price: number }"

describe("a hover", () => {
  it("is short, and names the errors by the operation", { timeout: 60_000 }, () => {
    const shown = Object.fromEntries(
      [...hovers()].map(([name, text]) => [name, text.replace(/\s+/g, " ").replace(/; \}/g, " }")])
    )
    assert.deepStrictEqual(shown, {
      untyped: "Effect<{ title: unknown; price: unknown }[], Db.ReadError, Db.ReadDb>",
      typed: "Effect<{ title: string; price: number }[], Db.ReadError, Db.ReadDb>",
      one: "Effect<{ id: string }, Db.ReadError, Db.ReadDb>",
      written: "Effect<null, Db.WriteError, Db.Db>",
      called: "Effect<number, Db.RequestError, Db.Db>",
      both: "Effect<readonly [{ id: string }, null], Db.TransactionError, Db.Db>",
      got: `Effect<${product}, Db.RowError, Db.ReadDb>`,
      found: `Effect<Option<${product}>, Db.RowsError, Db.ReadDb>`,
      listed: `Effect<readonly ${product}[], Db.RowsError, Db.ReadDb>`,
      created: `Effect<${product}, Db.RowError, Db.Db>`,
      streamed: `Stream<${product}, Db.RowsError, Db.ReadDb>`
    })
  })
})
