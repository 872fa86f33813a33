/**
 * What a role gets by a transaction is what it gets by the plain API: random rights, and random requests of random
 * callers, each made both ways from the same rows. On PostgreSQL the plain way is the statement that PostgREST would run,
 * for what is in its schema cache; over the embedded database it is the embedded API's own request.
 */

import { assert, describe, layer } from "@effect/vitest"
import { createClient, type SupabaseClient } from "@supabase/supabase-js"
import { Context, Effect, Layer, Redacted, Runtime } from "effect"
import * as fc from "effect/FastCheck"
import * as Db from "../../src/Db.js"
import { Embedded, type EmbeddedDatabase } from "../../src/embedded.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import type { PostgrestResult } from "../../src/internal/db/postgrestResult.js"
import { compileAll } from "../../src/internal/transaction/record.js"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import {
  type Act,
  leftSql,
  relationsSql,
  request,
  rowsSql,
  stepOf,
  types,
  users,
  type World,
  world,
  worldSql
} from "../support/rightsWorld.js"
import { migrationUnderTest, type Rows, type Scratch, type Statement, scratch } from "../support/scratch.js"

const seed = Number(process.env["FUZZ_SEED"] ?? 20261128)

/** `FUZZ_SHARE=10` makes ten times as many cases. */
const share = Number(process.env["FUZZ_SHARE"] ?? 1)

const cases = { postgres: 1600 * share, embedded: 400 * share }

/** So many requests at most under the same rights; half as many in the middle. */
const most = 10

const runs = (wanted: number): number => Math.ceil(wanted / (most * 0.45))

/** What came of it: what was given back and what is there afterwards, or that it was refused. */
type End = { readonly rows: ReadonlyArray<string>; readonly left: string } | { readonly refused: string }

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, inner]) => [key, sorted(inner)])
      )
    : value

const inOrder = (rows: unknown): ReadonlyArray<string> =>
  (Array.isArray(rows) ? rows : [rows]).map((row) => JSON.stringify(sorted(row))).toSorted()

/** What happened how often, so that a run in which everything is refused is seen for what it is. */
class Tally {
  private readonly counts = new Map<string, number>()
  private total = 0
  add(acts: ReadonlyArray<Act>, end: End): void {
    this.total += 1
    const names =
      "refused" in end ? ["refused"] : [...acts.map(({ op }) => op), ...(acts.length > 1 ? ["several"] : [])]
    for (const name of names) this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }
  isEnough(wanted: number): void {
    const found = Object.fromEntries(this.counts)
    assert.isAtLeast(this.total, wanted, JSON.stringify(found))
    for (const name of ["select", "insert", "upsert", "update", "delete", "rpc", "several", "refused"]) {
      assert.isAtLeast(found[name] ?? 0, wanted / 200, JSON.stringify(found))
    }
  }
}

const said = (acts: ReadonlyArray<Act>, rights: World, ends: unknown): string =>
  [...acts.map((one) => JSON.stringify(one)), ...rights.rights, JSON.stringify(ends)].join("\n")

// -------------------------------------------------------------------------------------
// PostgREST's statements
// -------------------------------------------------------------------------------------

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const conditions = ({ filter, relation }: Act): string =>
  filter.length === 0
    ? ""
    : ` where ${filter
        .map(({ column, operator, value }) => {
          const field = `public.${relation}.${column.replace("->>k", "->>'k'")}`
          if (operator === "is") return `${field} is null`
          const symbol = { eq: "=", lt: "<", gte: ">=", like: "like" }[operator] ?? operator
          return `${field} ${symbol} ${quoted(operator === "like" ? value.replaceAll("*", "%") : value)}`
        })
        .join(" and ")}`

/** The columns that are given back and, where the transaction keeps some for later, those too. */
const output = ({ gives, keep, relation }: Act): string => {
  const names = [...new Set([...(gives === "*" || gives === undefined ? [] : gives), ...keep])]
  const listed = names.map((name) => `public.${relation}.${name}`)
  if (gives === "*") return [`public.${relation}.*`, ...listed.map((name, n) => `${name} as kept_${n}`)].join(", ")
  return listed.length === 0 ? "1 as nothing" : listed.join(", ")
}

const statementOf = (one: Act): Statement => {
  const { op, order, relation, row } = one
  const names = Object.keys(row)
  const record = names.map((name) => `${name} ${types[name]}`).join(", ")
  const returning = ` returning ${output(one)}`
  const parameters = [JSON.stringify(op === "insert" || op === "upsert" ? [row] : row)]
  switch (op) {
    case "select": {
      const sorting = order === undefined ? "" : ` order by public.${relation}.${order}`
      const sql = `select ${output(one)} from public.${relation}${conditions(one)}${sorting}`
      return { sql, parameters: [], readOnly: true }
    }
    case "insert":
    case "upsert": {
      const changes = names.map((name) => `${name} = excluded.${name}`).join(", ")
      const conflict = op === "insert" ? "" : ` on conflict (id) do update set ${changes}`
      return {
        sql: `insert into public.${relation} (${names.join(", ")}) select ${names.join(", ")}
          from json_to_recordset($1::text::json) as _(${record})${conflict}${returning}`,
        parameters,
        readOnly: false
      }
    }
    case "update": {
      const changes = names.map((name) => `${name} = body.${name}`).join(", ")
      const body = `(select * from json_to_record($1::text::json) as _(${record})) as body`
      const sql = `update public.${relation} set ${changes} from ${body}${conditions(one)}${returning}`
      return { sql, parameters, readOnly: false }
    }
    case "delete":
      return { sql: `delete from public.${relation}${conditions(one)}${returning}`, parameters: [], readOnly: false }
    case "rpc":
      return {
        sql: `select * from public.${relation}() as called`,
        parameters: [],
        readOnly: relation === "rw_count" || relation === "rw_definer"
      }
  }
}

/** A bigint comes as a text. */
const scalar = (value: unknown): unknown => (typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value)

/** As much of a row as was asked for. */
const given = ({ gives, op }: Act, rows: Rows): unknown => {
  if (op === "rpc") return rows.map((row) => ("called" in row ? scalar(row["called"]) : row))
  if (gives === undefined) return []
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).filter(([name]) => (gives === "*" ? !name.startsWith("kept_") : gives.includes(name)))
    )
  )
}

const schemaCache = `
  select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'public' and c.relkind in ('v', 'r', 'm', 'f', 'p') and not c.relispartition
`

// -------------------------------------------------------------------------------------
// both ways
// -------------------------------------------------------------------------------------

const resultOf = ({ gives, op }: Act, data: unknown): ReadonlyArray<string> =>
  gives === undefined && op !== "rpc" ? [] : inOrder(data ?? [])

const upsertTarget = (step: Step): Step => (step.op === "upsert" ? { ...step, onConflict: ["id"] } : step)

const plainly = async (database: Scratch, shown: ReadonlySet<unknown>, acts: ReadonlyArray<Act>): Promise<End> => {
  const hidden = acts.findIndex(({ op, relation }) => op !== "rpc" && !shown.has(relation))
  if (hidden >= 0) return { refused: "PGRST205" }
  const [caller] = acts
  if (caller === undefined) throw new Error("nobody asks")
  const outcome = await database.seen(caller, acts.map(statementOf), { left: leftSql })
  if ("refused" in outcome) return { refused: outcome.refused.code }
  return {
    rows: acts.flatMap((one, index) => inOrder(given(one, outcome.gave.rows[index] ?? []))),
    left: String(outcome.gave.left[0]?.["rows"])
  }
}

const byTransaction = async (database: Scratch, acts: ReadonlyArray<Act>): Promise<End> => {
  const [caller] = acts
  if (caller === undefined) throw new Error("nobody asks")
  const compiled = await Effect.runPromise(Effect.orDie(compileAll(acts.map(stepOf))))
  const steps = compiled.map(({ step }, index) => {
    const keep = acts[index]?.keep ?? []
    return { ...upsertTarget(step), ...(keep.length === 0 ? {} : { keep }) }
  })
  const sql = "select public.supabase_pool_transaction(gen_random_uuid()::text, $1::text::jsonb)::text as answer"
  const call = { sql, parameters: [JSON.stringify(steps)], readOnly: false }
  const outcome = await database.seen(caller, [call], { left: leftSql })
  if ("refused" in outcome) return { refused: `${outcome.refused.code} ${outcome.refused.detail}` }
  const answer: { readonly results: ReadonlyArray<unknown> } = JSON.parse(String(outcome.gave.rows[0]?.[0]?.["answer"]))
  return {
    rows: acts.flatMap((one, index) => resultOf(one, answer.results[index])),
    left: String(outcome.gave.left[0]?.["rows"])
  }
}

const asEnds = (...ends: ReadonlyArray<End>): ReadonlyArray<unknown> =>
  ends.map((end) => ("refused" in end ? "refused" : end))

describePostgres("what a role gets by a transaction, on PostgreSQL,", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped(
      `is what PostgREST would give it, in ${cases.postgres} cases of random rights, seed ${seed}`,
      () =>
        Effect.gen(function* () {
          const database = yield* scratch([
            yield* migrationUnderTest,
            relationsSql,
            rowsSql,
            "grant execute on function public.supabase_pool_transaction(text, jsonb) to anon"
          ])
          const shown = new Set((yield* Effect.promise(() => database.run(schemaCache))).map(({ name }) => name))
          const tally = new Tally()
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(
                world,
                fc.array(request, { minLength: 1, maxLength: most, size: "max" }),
                async (rights, requests) => {
                  await database.run(worldSql(rights))
                  for (const acts of requests) {
                    const plain = await plainly(database, shown, acts)
                    const asOne = await byTransaction(database, acts)
                    tally.add(acts, plain)
                    assert.deepStrictEqual(asEnds(asOne), asEnds(plain), said(acts, rights, { plain, asOne }))
                  }
                }
              ),
              { seed, numRuns: runs(cases.postgres) }
            )
          )
          tally.isEnough(cases.postgres)
        }),
      120_000 * Math.max(1, share)
    )
  })
})

// -------------------------------------------------------------------------------------
// the embedded API
// -------------------------------------------------------------------------------------

/** How often a view's function is called is the embedded API's own affair: what that wrote is left out. */
const helpers = `
  create function public.rw_make(statements text) returns void language plpgsql security definer as 'begin execute statements; end';
  create function public.rw_fresh() returns void language plpgsql security definer as $body$ begin execute $$${rowsSql}$$; end $body$;
  create function public.rw_left() returns text language plpgsql security definer
    as $body$ declare found text; begin delete from rw_hidden.log; execute $$${leftSql}$$ into found; return found; end $body$;
  revoke all on function public.rw_make(text), public.rw_fresh(), public.rw_left() from public, anon, authenticated;
  grant execute on function public.supabase_pool_transaction(text, jsonb) to anon;
`

/** A key that no row of a table and one of its heir share: read again by it, the two would be taken for each other. */
const ownKey = (op: "insert" | "upsert", relation: string, id: number): number => {
  const isHeir = relation === "rw_heir"
  if (op === "insert") return id + (isHeir ? 200 : 100)
  return isHeir ? (id % 2) + 4 : (id % 3) + 1
}

/**
 * What the embedded API can do too: it reads changed rows again by their key, so that none of them may change, and
 * all their columns, so that a view's function is called whose column nobody asked for; and it stumbles over JSON in the
 * filter of a change.
 */
const simpler = (one: Act): Act => {
  const { id, ...changes } = one.row
  if (one.op === "select") return one
  const filter = one.filter.filter(({ column }) => !column.includes("->"))
  const relation = one.relation === "rw_noisy" ? "rw_view" : one.relation
  if (one.op === "update") return { ...one, relation, filter, row: { body: "new", ...changes } }
  return one.op === "insert" || one.op === "upsert"
    ? { ...one, relation, row: { ...changes, id: ownKey(one.op, relation, Number(id)) } }
    : { ...one, relation, filter }
}

interface Served {
  readonly database: EmbeddedDatabase
  readonly tokenOf: (one: Act) => string
  readonly client: (token: string) => SupabaseClient
}

class Lite extends Context.Tag("test/Lite")<Lite, Served>() {}

const served = (database: EmbeddedDatabase): Served => {
  const tokens = {
    anon: Redacted.value(database.anonKey),
    service_role: Redacted.value(database.serviceRoleKey)
  }
  const clients = new Map<string, SupabaseClient>()
  return {
    database,
    tokenOf: ({ role, sub }) =>
      role === "authenticated" ? Redacted.value(database.userToken(sub ?? users[0])) : tokens[role],
    client: (token) => {
      const made =
        clients.get(token) ??
        createClient(database.url, token === tokens.service_role ? token : tokens.anon, {
          accessToken: () => Promise.resolve(token),
          realtime: { transport: NoRealtime }
        })
      clients.set(token, made)
      return made
    }
  }
}

describe("what a role gets by a transaction, over the embedded API,", () => {
  const live = Layer.orDie(
    Layer.unwrapScoped(
      Effect.gen(function* () {
        const migrations = [yield* migrationUnderTest, relationsSql, rowsSql, helpers]
        const database = yield* Embedded.make({ migrations, seed: false })
        const { anonKey, serviceRoleKey, url } = database
        const options = { minConnections: 1, maxConnections: 2, enableHealthChecks: false, maxRetries: 0 }
        return Layer.merge(
          Layer.succeed(Lite, served(database)),
          Db.layerOf({ url, anonKey, serviceRoleKey, ...options })
        )
      })
    )
  )
  layer(live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect(
      `is no more than the API gives it, in ${cases.embedded} cases of random rights, seed ${seed}`,
      () =>
        Effect.gen(function* () {
          const { client, database, tokenOf } = yield* Lite
          const run = Runtime.runPromise(yield* Effect.runtime<Db.Db>())
          const service = client(Redacted.value(database.serviceRoleKey))
          const ask = async (name: string, args: object = {}): Promise<unknown> =>
            (await service.rpc(name, args).throwOnError()).data
          const left = async (): Promise<string> => String(await ask("rw_left"))
          const tally = new Tally()
          const alone = async (acts: ReadonlyArray<Act>): Promise<End> => {
            await ask("rw_fresh")
            const rows: Array<string> = []
            for (const one of acts) {
              const answer: PostgrestResult = await stepOf(one)(client(tokenOf(one)))
              if (answer.error !== null) return { refused: JSON.stringify(answer.error) }
              rows.push(...resultOf(one, answer.data))
            }
            return { rows, left: await left() }
          }
          const asOne = async (acts: ReadonlyArray<Act>): Promise<End> => {
            const [caller] = acts
            if (caller === undefined) throw new Error("nobody asks")
            await ask("rw_fresh")
            const sent = Db.transaction(acts.map(stepOf))
            // As an access token the embedded API takes a key that is no JWT for anon's.
            const sentAs = caller.role === "service_role" ? sent : Db.withAccessToken(tokenOf(caller))(sent)
            const done = await run(Effect.either(sentAs))
            return done._tag === "Left"
              ? { refused: done.left.message }
              : { rows: acts.flatMap((one, index) => resultOf(one, done.right[index])), left: await left() }
          }
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(
                world,
                fc.array(request, { minLength: 1, maxLength: most, size: "max" }),
                async (rights, requests) => {
                  await ask("rw_make", { statements: worldSql(rights) })
                  for (const acts of requests.map((some) => some.map(simpler))) {
                    const together = await asOne(acts)
                    tally.add(acts, together)
                    if ("refused" in together) continue
                    const plain = await alone(acts)
                    assert.deepStrictEqual(together, plain, said(acts, rights, { plain, together }))
                  }
                }
              ),
              { seed, numRuns: runs(cases.embedded) }
            )
          )
          tally.isEnough(cases.embedded)
        }),
      120_000 * Math.max(1, share)
    )
  })
})
