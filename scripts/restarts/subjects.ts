/** Who is asked: this checkout, an earlier one, and supabase-js as it comes. */
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { createClient, type WebSocketLike } from "@supabase/supabase-js"
import { Cause, type Effect, Exit, Layer, Logger, ManagedRuntime, Option } from "effect"
import type { Provided } from "../../src/Db.js"
import { unpacked } from "../earlier.js"

export type Kind = "read" | "insert" | "idempotent" | "transaction"

/** How it went, as the caller was told. `not`: that nothing was executed; `silent`: nothing of that. */
export interface Told {
  readonly isSuccess: boolean
  readonly executed: "perhaps" | "not" | "silent"
  readonly words: string
}

/** Open on one server. */
export interface Opened {
  readonly run: (kind: Kind, id: string) => Promise<Told>
  readonly close: () => Promise<void>
}

export interface Subject {
  readonly name: string
  readonly open: (url: string, connections?: number) => Opened
}

const success: Told = { isSuccess: true, executed: "silent", words: "" }

interface Library {
  readonly db: typeof import("../../src/Db.js")
  readonly errors: typeof import("../../src/Errors.js")
}

const load = async (source: string): Promise<Library> => {
  const at = (file: string): string => pathToFileURL(resolve(source, file)).href
  return { db: await import(at("Db.ts")), errors: await import(at("Errors.ts")) }
}

const operation = ({ db }: Library, kind: Kind, id: string): Effect.Effect<unknown, unknown, Provided> => {
  if (kind === "read") return db.read((client) => client.from("t").select("id"))
  if (kind === "transaction") {
    return db.transaction([(client) => client.from("t").insert({ id })], { idempotencyKey: id })
  }
  return db.write((client) => client.from("t").insert({ id }), { idempotent: kind === "idempotent" })
}

/** What the pools say of themselves does not belong among the figures. */
const quiet = Logger.remove(Logger.defaultLogger)

/** Of one source folder. */
const pool = (name: string, library: Library): Subject => ({
  name,
  open: (url, connections) => {
    const keys = { url, anonKey: "anon", serviceRoleKey: "service", enableHealthChecks: false }
    const size = connections === undefined ? {} : { minConnections: 1, maxConnections: 2 * connections }
    const runtime = ManagedRuntime.make(Layer.provide(library.db.layerOf({ ...keys, ...size }), quiet))
    const run = async (kind: Kind, id: string): Promise<Told> => {
      const exit: Exit.Exit<unknown, unknown> = await runtime.runPromiseExit(operation(library, kind, id))
      if (Exit.isSuccess(exit)) return success
      const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
      if (!library.errors.isDbError(error)) return { isSuccess: false, executed: "silent", words: String(error) }
      return { isSuccess: false, executed: error.mayHaveExecuted ? "perhaps" : "not", words: error.message }
    }
    return { run, close: () => runtime.dispose() }
  }
})

/** What a commit had in `src`. */
const checkout = (commit: string): string => {
  const folder = resolve(".scratch/restarts", commit)
  unpacked(commit, folder, ["src", "package.json"])
  return join(folder, "src")
}

class NoRealtime {
  constructor() {
    throw new Error("no realtime here")
  }
}

/** Node 20 has no WebSocket, and supabase-js wants one when it is made. */
const realtime = { transport: NoRealtime as unknown as new () => WebSocketLike }

/** The same requests; what the transaction sends, supabase-js can send too. Nothing of it says whether a write was executed. */
const stock: Subject = {
  name: "supabase-js",
  open: (url) => {
    const client = createClient(url, "anon", { realtime, auth: { persistSession: false, autoRefreshToken: false } })
    const ask = (kind: Kind, id: string) => {
      if (kind === "read") return client.from("t").select("id")
      if (kind !== "transaction") return client.from("t").insert({ id })
      return client.rpc("supabase_pool_transaction", { idempotency_key: id, steps: [{ op: "insert", rows: [{ id }] }] })
    }
    const run = async (kind: Kind, id: string): Promise<Told> => {
      const { error, status } = await ask(kind, id)
      return error === null ? success : { isSuccess: false, executed: "silent", words: `${status} ${error.message}` }
    }
    return { run, close: async () => {} }
  }
}

export const subjects = async (commit: string): Promise<ReadonlyArray<Subject>> => [
  pool("now", await load("src")),
  pool(commit, await load(checkout(commit))),
  stock
]
