/**
 * As much of PostgREST as tests of values need, over the test file's own PostgreSQL: filters, casts, order, pages, writes that give
 * their rows back, functions by POST. Every value is cast by PostgreSQL and every answer is JSON that PostgreSQL wrote, so that
 * digits and microseconds are the real ones. The grammar is that of PostgREST's documentation ("Tables and Views"), read here by
 * a parser that has nothing in common with the one of `src/internal/transaction`.
 */
import { Effect, Layer, Redacted, type Scope } from "effect"
import postgres from "postgres"
import * as Db from "../../src/Db.js"
import { type Seen, serve } from "./httpServer.js"
import { PostgresUrl } from "./postgres.js"
import { newMigration, projectRoles } from "./scratch.js"

type Sql = postgres.Sql

const name = (text: string): string => `"${text.replaceAll('"', '""')}"`

const literal = (text: string): string => `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`

const operators: Readonly<Record<string, string>> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
  cs: "@>",
  cd: "<@",
  ov: "&&",
  isdistinct: "is distinct from"
}

class Wrong extends Error {}

/** Reads a text from left to right. */
class Cursor {
  at = 0
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  get rest(): string {
    return this.text.slice(this.at)
  }
  match(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.rest)
    if (found === null) return undefined
    this.at += found[0].length
    return found
  }
  need(pattern: RegExp): RegExpExecArray {
    const found = this.match(pattern)
    if (found === undefined) throw new Wrong(`unexpected "${this.rest.slice(0, 20)}" in ${this.text}`)
    return found
  }
}

const unescaped = (text: string): string => text.replace(/\\([\s\S])/g, "$1")

/** A text in double quotes only where a comma or the end follows. */
const quoted = (cursor: Cursor): string | undefined => {
  const found = cursor.match(/^"((?:[^"\\]|\\[\s\S])*)"(?=[,)])/)
  return found === undefined ? undefined : unescaped(found[1] ?? "")
}

const listIn = (cursor: Cursor): ReadonlyArray<string> => {
  cursor.need(/^\(/)
  const all: Array<string> = []
  do all.push(quoted(cursor) ?? cursor.need(/^[^,)]*/)[0])
  while (cursor.match(/^,/) !== undefined)
  cursor.need(/^\)/)
  return all.length === 1 && all[0] === "" ? [] : all
}

const column = (text: string): string => name(text.startsWith('"') ? unescaped(text.slice(1, -1)) : text)

const compare = (field: string, op: string, quantifier: string | undefined, value: string): string => {
  const sign = operators[op]
  if (op === "is") return `${field} is ${value}`
  if (sign === undefined) throw new Wrong(`the operator ${op}`)
  const text = literal(op === "like" || op === "ilike" ? value.replaceAll("*", "%") : value)
  return quantifier === undefined ? `${field} ${sign} ${text}` : `${field} ${sign} ${quantifier} (${text})`
}

const one = (field: string, not: boolean, sql: string): string => (not ? `not (${sql})` : field && sql)

const element = (value: string): string => `"${value.replace(/["\\]/g, "\\$&")}"`

const inList = (field: string, values: ReadonlyArray<string>): string =>
  `${field} = any (${literal(`{${values.map(element).join(",")}}`)})`

/** A parameter of the address. */
const filterOf = (key: string, text: string): string => {
  const field = column(key)
  const [, not, op = "", quantifier, value = ""] = /^(not\.)?([a-z]+)(?:\((any|all)\))?\.([\s\S]*)$/.exec(text) ?? []
  if (op === "") throw new Wrong(`the filter ${key}=${text}`)
  const sql = op === "in" ? inList(field, listIn(new Cursor(value))) : compare(field, op, quantifier, value)
  return one(field, not !== undefined, sql)
}

const treeIn = (cursor: Cursor, connective: string): string => {
  cursor.need(/^\(/)
  const parts: Array<string> = []
  do {
    const group = cursor.match(/^(not\.)?(and|or)(?=\()/)
    if (group !== undefined) {
      const inner = treeIn(cursor, group[2] ?? "and")
      parts.push(group[1] === undefined ? inner : `not ${inner}`)
      continue
    }
    const field = column(cursor.need(/^(?:"(?:[^"\\]|\\[\s\S])*"|[^.]+)/)[0])
    const [, not, op = "", quantifier] = cursor.need(/^\.(not\.)?([a-z]+)(?:\((any|all)\))?\./)
    const sql =
      op === "in"
        ? inList(field, listIn(cursor))
        : compare(
            field,
            op,
            quantifier,
            quoted(cursor) ?? cursor.match(/^\{[^{}]*\}/)?.[0] ?? cursor.need(/^[^,)]*/)[0]
          )
    parts.push(one(field, not !== undefined, sql))
  } while (cursor.match(/^,/) !== undefined)
  cursor.need(/^\)/)
  return `(${parts.join(` ${connective} `)})`
}

const reserved = new Set(["select", "order", "limit", "offset", "columns", "on_conflict"])

const whereOf = (params: URLSearchParams): string => {
  const all = [...params]
    .filter(([key]) => !reserved.has(key))
    .map(([key, text]) => (key === "or" || key === "and" ? treeIn(new Cursor(text), key) : filterOf(key, text)))
  return all.length === 0 ? "" : ` where ${all.join(" and ")}`
}

/** `alias:column::type`; the type is one that PostgreSQL knows. */
const selectOf = (text: string | null): string =>
  (text ?? "*")
    .split(",")
    .map((each) => {
      const [, alias, own = "", type] = /^(?:(\w+):)?("(?:[^"\\]|\\.)*"|[^:]+)(?:::([\w ]+))?$/.exec(each) ?? []
      if (own === "*") return "*"
      return `${column(own)}${type === undefined ? "" : `::${type}`} as ${alias === undefined ? column(own) : name(alias)}`
    })
    .join(", ")

const orderOf = (text: string | null): string =>
  text === null
    ? ""
    : ` order by ${text
        .split(",")
        .map((term) => {
          const [own = "", ...how] = term.split(".")
          const nulls = how.includes("nullsfirst") ? " nulls first" : how.includes("nullslast") ? " nulls last" : ""
          return `${column(own)}${how.includes("desc") ? " desc" : ""}${nulls}`
        })
        .join(", ")}`

const boundsOf = (params: URLSearchParams): string => {
  const [limit, offset] = [params.get("limit"), params.get("offset")]
  return `${limit === null ? "" : ` limit ${Number(limit)}`}${offset === null ? "" : ` offset ${Number(offset)}`}`
}

const inserted = (table: string, body: string, conflict: string | null): string => {
  const rows: unknown = JSON.parse(body)
  const list: ReadonlyArray<unknown> = Array.isArray(rows) ? rows : [rows]
  const names = [...new Set(list.flatMap((row) => Object.keys(Object(row))))].map(name)
  const columns = names.join(", ")
  const merged = names.map((each) => `${each} = excluded.${each}`).join(", ")
  const end = conflict === null ? "" : ` on conflict (${conflict}) do update set ${merged}`
  const json = Array.isArray(rows) ? body : `[${body}]`
  return `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, ${literal(json)}::json)${end}`
}

const updated = (table: string, body: string): string => {
  const columns = Object.keys(Object(JSON.parse(body))).map(name)
  const row = `json_populate_record(null::${table}, ${literal(body)}::json)`
  return `update ${table} set ${columns.map((each) => `${each} = (select ${each} from ${row})`).join(", ")}`
}

const called = async (sql: Sql, path: string, body: string): Promise<string> => {
  const [found] = await sql.unsafe(
    "select proargnames as names, array(select a.t::regtype::text from unnest(proargtypes) with ordinality as a(t, n) order by a.n) as types from pg_proc where proname = $1 order by pronargs desc limit 1",
    [path]
  )
  const args: Record<string, unknown> = JSON.parse(body)
  const given = Object.keys(args).map((arg) => {
    const type = found?.["types"][found["names"].indexOf(arg)]
    const value = args[arg]
    return `${name(arg)} := ${literal(typeof value === "string" ? value : JSON.stringify(value))}::${type}`
  })
  const [row] = await sql.unsafe(`select to_json(public.${name(path)}(${given.join(", ")}))::text as body`)
  return row?.["body"] ?? "null"
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly range?: string
}

const rowsOf = async (sql: Sql, request: Seen, table: string, params: URLSearchParams): Promise<Answer> => {
  const { headers, method } = request
  const body = request.body.toString()
  const own = name(table)
  const reads = method === "GET" || method === "HEAD"
  const filters = whereOf(params)
  const select = selectOf(params.get("select"))
  const what = reads
    ? `select ${select} from ${own}${filters}${orderOf(params.get("order"))}${boundsOf(params)}`
    : `${method === "POST" ? inserted(own, body, params.get("on_conflict")) : method === "PATCH" ? `${updated(own, body)}${filters}` : `delete from ${own}${filters}`} returning ${select}`
  const [found] = await sql.unsafe(
    `with it as (${what}) select coalesce(json_agg(it), '[]')::text as rows, count(*)::int as n from it`
  )
  const n: number = found?.["n"]
  const single = String(headers["accept"]).includes("vnd.pgrst.object")
  if (single && n !== 1) {
    const details = `The result contains ${n} rows`
    return { status: 406, body: JSON.stringify({ code: "PGRST116", message: "not one", details, hint: null }) }
  }
  const counted = String(headers["prefer"]).includes("count=exact")
  const [total] = counted ? await sql.unsafe(`select count(*)::int as n from ${own}${filters}`) : []
  const from = Number(params.get("offset") ?? 0)
  const range = `${n === 0 ? "*" : `${from}-${from + n - 1}`}/${total?.["n"] ?? "*"}`
  const rows: string = found?.["rows"]
  return { status: method === "POST" ? 201 : 200, body: single ? rows.trim().slice(1, -1) : rows, range }
}

const answered = async (sql: Sql, request: Seen): Promise<Answer> => {
  const { pathname, searchParams } = new URL(request.url, "http://x")
  const path = decodeURIComponent(pathname.slice("/rest/v1/".length))
  return path.startsWith("rpc/")
    ? { status: 200, body: await called(sql, path.slice(4), request.body.toString()) }
    : await rowsOf(sql, request, path, searchParams)
}

export interface MiniPostgrest {
  readonly sql: Sql
  readonly url: string
  readonly layer: Layer.Layer<Db.Provided>
  readonly seen: ReadonlyArray<Seen>
}

const keys = { anonKey: "an-anon-key-for-this-test", serviceRoleKey: "a-service-key-for-this-test" }

/** The tables of `setUp` on the test file's server, and a database of ours on top of them. */
export const miniPostgrest = (setUp: string): Effect.Effect<MiniPostgrest, never, Scope.Scope | PostgresUrl> =>
  Effect.gen(function* () {
    const sql = yield* Effect.acquireRelease(
      Effect.map(PostgresUrl, (url) => postgres(Redacted.value(url), { onnotice: () => {} })),
      (it) => Effect.promise(() => it.end())
    )
    const migration = yield* newMigration
    for (const each of [projectRoles, migration, setUp]) yield* Effect.promise(() => sql.unsafe(each))
    const { seen, url } = yield* serve((response, request) => {
      answered(sql, request).then(
        ({ body, range, status }) =>
          response
            .writeHead(status, {
              "content-type": "application/json",
              ...(range === undefined ? {} : { "content-range": range })
            })
            .end(request.method === "HEAD" ? undefined : body),
        (error: Error & { readonly code?: string; readonly detail?: string }) => {
          const { code = error instanceof Wrong ? "PGRST100" : "XX000", detail = null, message } = error
          response
            .writeHead(400, { "content-type": "application/json", "proxy-status": `PostgREST; error=${code}` })
            .end(JSON.stringify({ code, message, details: detail, hint: null }))
        }
      )
    })
    const options = { ...keys, url, minConnections: 1, maxConnections: 4, enableHealthChecks: false, maxRetries: 0 }
    return { sql, url, seen, layer: Layer.orDie(Db.layerOf(options)) }
  })
