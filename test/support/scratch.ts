/**
 * A database of its own on the test file's PostgreSQL, with the roles of a Supabase project, and two ways to be somebody
 * there: a transaction, and the statements that PostgREST would run for them. PostgREST's own settings are made as it
 * makes them (docs.postgrest.org, "Transactions"): the role, the claims and the search path, all of them local.
 */
import { randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Redacted, type Scope } from "effect"
import postgres from "postgres"
import { migrationsDirectory } from "../../src/embedded.js"
import { migrationFile } from "../../src/internal/transaction/run.js"
import type { Step } from "../../src/internal/transaction/step.js"
import { PostgresUrl } from "./postgres.js"

/** The first version. */
export const oldMigrationFile = "20250918080000_supabase_pool.sql"

/** Those that do not know all of today's steps. */
const earlierMigrationFiles = [oldMigrationFile, "20261126080000_supabase_pool.sql"]

const text = (file: string) => readFile(join(migrationsDirectory, file), "utf8")

export const oldMigration = Effect.promise(() => text(oldMigrationFile))

export const earlierMigrations = Effect.promise(() => Promise.all(earlierMigrationFiles.map(text)))

/** All before today's, each whole in itself. */
export const allBefore = Effect.promise(() =>
  Promise.all([...earlierMigrationFiles, "20261128080000_supabase_pool.sql"].map(text))
)

export const newMigration = Effect.promise(() => text(migrationFile))

/** Today's. `TRANSACTION_MIGRATION=20250918080000_supabase_pool.sql` shows what a test says of the one before. */
export const migrationUnderTest = Effect.promise(() => text(process.env["TRANSACTION_MIGRATION"] ?? migrationFile))

export const projectRoles = `
  do $$
  declare wanted text;
  begin
    foreach wanted in array '{anon,authenticated,service_role bypassrls}'::text[] loop
      begin
        execute 'create role ' || wanted || ' nologin noinherit';
      exception when duplicate_object or unique_violation then null;
      end;
    end loop;
  end
  $$;
  create schema if not exists extensions;
  grant usage on schema public, extensions to anon, authenticated, service_role;
  alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
  alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
  alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
`

export interface Caller {
  readonly role: string
  readonly sub?: string
  /** What else its token has. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** What else its request finds set. */
  readonly settings?: Readonly<Record<string, string>>
  /** As a request finds it: the schema that it asks for, and the extra ones. */
  readonly path?: string
}

export interface Refusal {
  readonly code: string
  readonly message: string
  readonly detail: string
  readonly hint: string
}

/** What it gave, or why not. */
export type Outcome<A> = { readonly gave: A } | { readonly refused: Refusal }

export interface Answer {
  readonly replayed: boolean
  readonly results?: ReadonlyArray<unknown>
  readonly gone?: boolean
}

const word = (error: object, name: string): string => {
  const value: unknown = Reflect.get(error, name)
  return typeof value === "string" ? value : ""
}

const refusal = (error: unknown): Refusal => {
  if (!(error instanceof postgres.PostgresError)) throw error
  return { code: error.code, message: error.message, detail: word(error, "detail"), hint: word(error, "hint") }
}

/** The code that our function puts into the details; else the answer's own. */
export const codeOf = ({ code, detail }: Refusal): string => /"code": "([^"]*)"/.exec(detail)?.[1] ?? code

/** What a statement gave, or the code that it was refused with. */
export const said = (outcome: Outcome<unknown>): unknown =>
  "refused" in outcome ? codeOf(outcome.refused) : outcome.gave

const parsed = {
  // As JSON has it, whichever way a value came.
  json: { to: 114, from: [114, 3802], serialize: String, parse: (json: string): unknown => JSON.parse(json) }
}

/** Thrown so that a transaction is rolled back. */
class Undone {
  readonly _tag = "Undone"
}

export type Rows = ReadonlyArray<Record<string, unknown>>

export interface Statement {
  readonly sql: string
  readonly parameters: ReadonlyArray<string>
  /** As PostgREST's transaction is for a GET, and for a function that is not volatile. */
  readonly readOnly: boolean
}

export class Scratch {
  private readonly sql: postgres.Sql
  /** Of the database. */
  readonly name: string
  constructor(sql: postgres.Sql, name: string) {
    this.sql = sql
    this.name = name
  }

  /** As the owner of the database. */
  run(statements: string): Promise<Rows> {
    return this.sql.unsafe(statements).then((rows) => [...rows])
  }

  /** One statement as PostgREST would run it for that caller; undone where `keep` is not asked for. */
  async ask(
    caller: Caller,
    sql: string,
    parameters: ReadonlyArray<string> = [],
    options: { readonly keep?: boolean } = {}
  ): Promise<Outcome<Rows>> {
    const outcome = await this.seen(caller, [{ sql, parameters, readOnly: false }], options)
    return "refused" in outcome ? outcome : { gave: outcome.gave.rows[0] ?? [] }
  }

  /**
   * Several, each as a request of its own would find and leave the session, and what the owner finds by `left` after them.
   * The first that is refused refuses them all.
   */
  async seen(
    caller: Caller,
    statements: ReadonlyArray<Statement>,
    options: { readonly keep?: boolean; readonly left?: string }
  ): Promise<Outcome<{ readonly rows: ReadonlyArray<Rows>; readonly left: Rows }>> {
    const claims = { role: caller.role, ...(caller.sub === undefined ? {} : { sub: caller.sub }), ...caller.claims }
    const rows: Array<Rows> = []
    let left: Rows = []
    try {
      await this.sql.begin(async (sql) => {
        for (const { parameters, readOnly, sql: statement } of statements) {
          await sql.unsafe("reset role; savepoint request")
          await sql.unsafe(
            "select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true)",
            [caller.path ?? '"public", "extensions"', caller.role, JSON.stringify(claims)]
          )
          for (const [name, value] of Object.entries(caller.settings ?? {})) {
            await sql.unsafe("select set_config($1, $2, true)", [name, value])
          }
          if (readOnly) await sql.unsafe("set local transaction_read_only = on")
          rows.push([...(await sql.unsafe(statement, [...parameters]))])
          await sql.unsafe("release savepoint request")
        }
        if (options.left !== undefined) {
          await sql.unsafe("reset role; set local row_security = on; set local search_path = public")
          left = [...(await sql.unsafe(options.left))]
        }
        if (options.keep !== true) throw new Undone()
      })
    } catch (error) {
      if (!(error instanceof Undone)) return { refused: refusal(error) }
    }
    return { gave: { rows, left } }
  }

  /** A transaction of that caller's, kept if it succeeds. */
  async transact(
    caller: Caller,
    steps: ReadonlyArray<Step>,
    options: { readonly key?: string; readonly keep?: boolean } = {}
  ): Promise<Outcome<Answer>> {
    const call = "select public.supabase_pool_transaction($1, $2::text::jsonb)::text as answer"
    const { keep = true, key = randomUUID() } = options
    const outcome = await this.ask(caller, call, [key, JSON.stringify(steps)], { keep })
    return "refused" in outcome ? outcome : { gave: JSON.parse(String(outcome.gave[0]?.["answer"])) }
  }

  settle(caller: Caller, key: string): Promise<Outcome<unknown>> {
    return this.ask(caller, "select public.supabase_pool_transaction_settle($1)::text as answer", [key], { keep: true })
  }
}

const connected = (url: string, database?: string, max = 4): Effect.Effect<postgres.Sql, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      postgres(url, {
        max,
        types: parsed,
        onnotice: () => undefined,
        ...(database === undefined ? {} : { database })
      })
    ),
    (sql) => Effect.promise(() => sql.end({ timeout: 1 }))
  )

/** The same database by one session, which keeps what it has prepared. */
export const oneSession = (database: Scratch): Effect.Effect<Scratch, never, PostgresUrl | Scope.Scope> =>
  Effect.gen(function* () {
    const url = Redacted.value(yield* PostgresUrl)
    return new Scratch(yield* connected(url, database.name, 1), database.name)
  })

/** An empty project, then these statements. */
export const scratch = (statements: ReadonlyArray<string>): Effect.Effect<Scratch, never, PostgresUrl | Scope.Scope> =>
  Effect.gen(function* () {
    const url = Redacted.value(yield* PostgresUrl)
    const name = `scratch_${randomUUID().replaceAll("-", "")}`
    const admin = yield* connected(url)
    yield* Effect.acquireRelease(
      Effect.promise(() => admin.unsafe(`create database ${name}`)),
      () => Effect.promise(() => admin.unsafe(`drop database ${name} with (force)`))
    )
    const sql = yield* connected(url, name)
    const database = new Scratch(sql, name)
    for (const statement of [projectRoles, ...statements]) yield* Effect.promise(() => database.run(statement))
    return database
  })
