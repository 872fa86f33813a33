/** A request that a PostgREST builder would have sent, turned into a step. Pure: it throws `Unsupported`, by name. */
import { unsendableAddress } from "../connection/sendable.js"
import { conditionOf, fieldOf, outsideQuotes, treeOf, unquoted } from "./filters.js"
import * as Reference from "./reference.js"
import {
  type Filter,
  type OrderTerm,
  type Reference as Ref,
  type Returned,
  type Step,
  Unsendable,
  Unsupported
} from "./step.js"

export interface Recorded {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: unknown
  /** The columns that rows in an array have before JSON drops those that are undefined. */
  readonly columns?: ReadonlyArray<string>
  readonly maybeSingle: boolean
  readonly abortable: boolean
}

const reserved = new Set(["select", "order", "limit", "offset", "columns", "on_conflict"])

export const compile = (request: Recorded): Step => {
  const path = request.url.pathname.replace(/^.*\/rest\/v1\//, "")
  const schema = request.headers.get("content-profile") ?? request.headers.get("accept-profile") ?? "public"
  const wishes = preferences(request.headers)
  if (request.abortable) throw new Unsupported("abortSignal(); interrupt the transaction instead")
  const wrong = unsendableAddress(`${request.url.pathname}${request.url.search}`)
  if (wrong !== undefined) throw new Unsendable(wrong.where, wrong.issue)
  refuseUnknown(request.headers, wishes)
  refuseFormats(request.headers, wishes)
  const common = { schema, ...singleOf(request), ...affected(wishes) }
  if (path.startsWith("rpc/")) return { ...common, ...call(request, decodeURIComponent(path.slice(4))) }
  const table = decodeURIComponent(path)
  if (table.includes("/")) throw new Unsupported(`the path ${path}`)
  return { ...common, table, ...operation(request, wishes) }
}

const preferences = (headers: Headers): ReadonlyMap<string, string> =>
  new Map(
    (headers.get("prefer") ?? "")
      .split(",")
      .map((wish) => wish.trim().split("="))
      .map(([name = "", value = ""]) => [name, value] as const)
  )

/** Those that the builder sets itself. Of any other nobody would hear: the steps share one request. */
const headers = new Set([
  ...["accept", "accept-profile", "apikey", "authorization", "content-profile", "content-type", "prefer"],
  "user-agent",
  "x-client-info"
])

const preferred = new Set(["count", "handling", "max-affected", "missing", "resolution", "return", "tx"])

const refuseUnknown = (given: Headers, wishes: ReadonlyMap<string, string>): void => {
  for (const name of given.keys()) if (!headers.has(name)) throw new Unsupported(`the header ${name}`)
  for (const name of wishes.keys()) {
    if (name !== "" && !preferred.has(name)) throw new Unsupported(`the preference ${name}`)
  }
}

const refuseFormats = (headers: Headers, wishes: ReadonlyMap<string, string>): void => {
  const accept = headers.get("accept") ?? ""
  if (accept.includes("text/csv")) throw new Unsupported("csv()")
  if (accept.includes("geo+json")) throw new Unsupported("geojson()")
  if (accept.includes("pgrst.plan")) throw new Unsupported("explain()")
  if (accept.includes("nulls=stripped")) throw new Unsupported("stripNulls()")
  if (wishes.has("count")) throw new Unsupported("count")
  if (wishes.has("tx")) throw new Unsupported("rollback()")
}

const singleOf = (request: Recorded): Pick<Step, "single"> => {
  if (request.maybeSingle) return { single: "maybe" }
  return (request.headers.get("accept") ?? "").includes("vnd.pgrst.object") ? { single: "one" } : {}
}

const affected = (wishes: ReadonlyMap<string, string>): Pick<Step, "maxAffected"> => {
  const most = wishes.get("max-affected")
  return most === undefined ? {} : { maxAffected: Number(most) }
}

const call = (request: Recorded, name: string): Pick<Step, "op" | "function" | "rows" | "refs"> => {
  if (request.method !== "POST") throw new Unsupported("rpc(…, { get: true }) or { head: true }")
  const [extra] = request.url.searchParams.keys()
  if (extra !== undefined) throw new Unsupported(`${extra} on the rows of rpc("${name}")`)
  return { op: "rpc", function: name, ...payload([request.body ?? {}]) }
}

const operation = (request: Recorded, wishes: ReadonlyMap<string, string>): Omit<Step, "schema"> => {
  const { searchParams } = request.url
  switch (request.method) {
    case "GET":
      return { op: "select", ...filtered(searchParams), ...page(searchParams), returning: returningOf(searchParams) }
    case "POST":
      return { ...insertion(request, wishes), ...given(searchParams, wishes) }
    case "PATCH":
      return { op: "update", ...changes(request.body), ...unpaged(searchParams), ...given(searchParams, wishes) }
    case "DELETE":
      return { op: "delete", ...unpaged(searchParams), ...given(searchParams, wishes) }
    default:
      throw new Unsupported(request.method === "HEAD" ? "select(…, { head: true })" : request.method)
  }
}

// -------------------------------------------------------------------------------------
// rows
// -------------------------------------------------------------------------------------

const isRecord = (u: unknown): u is Record<string, unknown> => typeof u === "object" && u !== null && !Array.isArray(u)

/** The rows with the places where a reference stands. */
const payload = (rows: ReadonlyArray<unknown>): Pick<Step, "rows" | "refs"> => {
  const refs: Record<string, ReadonlyArray<Ref>> = {}
  const walk = (value: unknown, row: number, path: ReadonlyArray<string>): void => {
    if (typeof value === "string") {
      if (Reference.isWithin(value)) throw new Unsupported("a reference inside a longer text")
      const target = Reference.parse(value)
      if (target !== undefined) refs[row] = [...(refs[row] ?? []), [path, target.step, target.column]]
    } else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        walk(inner, row, [...path, key])
      }
    }
  }
  for (const [index, row] of rows.entries()) walk(row, index, [])
  return Object.keys(refs).length === 0 ? { rows } : { rows, refs }
}

/** As a builder collects them for its `columns` parameter: `undefined` names a column too. */
export const columnsOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<string> => [
  ...new Set(rows.flatMap((row) => (typeof row === "object" && row !== null ? Object.keys(row) : [])))
]

const insertion = (request: Recorded, wishes: ReadonlyMap<string, string>): Omit<Step, "schema"> => {
  const rows = Array.isArray(request.body) ? request.body : [request.body]
  if (!rows.every(isRecord)) throw new Unsupported("a row that is not an object")
  const columns = request.columns ?? columnsOf(rows)
  const resolution = wishes.get("resolution")
  const conflict = request.url.searchParams.get("on_conflict")
  return {
    op: resolution === undefined ? "insert" : "upsert",
    columns,
    ...payload(rows),
    ...(wishes.get("missing") === "default" ? { missing: "default" } : {}),
    ...(conflict === null ? {} : { onConflict: conflictOf(conflict) }),
    ...(resolution === "ignore-duplicates" ? { ignoreDuplicates: true } : {})
  }
}

const conflictOf = (text: string): ReadonlyArray<string> => {
  const names = outsideQuotes(text, ",").map((name) => unquoted(name.trim()))
  if (names.includes("")) throw new Unsupported("an empty name in onConflict")
  return names
}

const changes = (body: unknown): Pick<Step, "columns" | "rows" | "refs"> => {
  if (!isRecord(body)) throw new Unsupported("an update that is not an object")
  return { columns: Object.keys(body), ...payload([body]) }
}

// -------------------------------------------------------------------------------------
// columns
// -------------------------------------------------------------------------------------

const given = (params: URLSearchParams, wishes: ReadonlyMap<string, string>): Pick<Step, "returning"> =>
  wishes.get("return") === "representation" ? { returning: returningOf(params) } : {}

const quotedText = /"(?:[^"\\]|\\.)*"/g

const returningOf = (params: URLSearchParams): "*" | ReadonlyArray<Returned> => {
  const select = params.get("select") ?? "*"
  if (select === "*" || select === "") return "*"
  return outsideQuotes(select, ",").map((item): Returned => {
    const bare = item.replace(quotedText, "")
    if (bare.includes("(") || bare.startsWith("..."))
      throw new Unsupported(`embedding or a function in select("${select}")`)
    if (bare.includes("->")) throw new Unsupported(`a JSON path in select("${item}")`)
    if (bare === "*") throw new Unsupported("* beside other columns in select")
    const [named = "", type] = outsideQuotes(item, "::")
    const [first = "", second] = outsideQuotes(named, ":").map(unquoted)
    return type === undefined ? [first, second ?? first] : [first, second ?? first, type]
  })
}

// -------------------------------------------------------------------------------------
// rows wanted
// -------------------------------------------------------------------------------------

const filtered = (params: URLSearchParams): Pick<Step, "filter"> => {
  const parts: Array<Filter> = []
  for (const [name, value] of params) {
    if (reserved.has(name)) continue
    if (/[.](order|limit|offset|and|or)$/.test(name)) throw new Unsupported(`the embedded resource in "${name}"`)
    const group = /^(not\.)?(and|or)$/.exec(name)
    if (group === null) parts.push(conditionOf(name, value))
    else {
      const tree = treeOf(group[2] ?? "and", value)
      parts.push(group[1] === undefined ? tree : { not: tree })
    }
  }
  return parts.length === 0 ? {} : { filter: { and: parts } }
}

const unpaged = (params: URLSearchParams): Pick<Step, "filter"> => {
  for (const name of ["limit", "offset", "order"]) {
    if (params.has(name)) throw new Unsupported(`${name} on an update or a delete`)
  }
  return filtered(params)
}

const whole = (params: URLSearchParams, name: "limit" | "offset"): Partial<Record<"limit" | "offset", number>> => {
  const text = params.get(name)
  if (text === null) return {}
  if (!/^\d+$/.test(text)) throw new Unsupported(`${name} ${text}`)
  return { [name]: Number(text) }
}

const page = (params: URLSearchParams): Pick<Step, "order" | "limit" | "offset"> => {
  const order = params.get("order")
  return {
    ...(order === null ? {} : { order: outsideQuotes(order, ",").map(orderTerm) }),
    ...whole(params, "limit"),
    ...whole(params, "offset")
  }
}

const orderTerm = (text: string): OrderTerm => {
  const match = /^(.*?)(?:\.(asc|desc))?(?:\.nulls(first|last))?$/.exec(text)
  const [, column = "", direction, nulls] = match ?? []
  if (column.includes("(")) throw new Unsupported(`order by an embedded resource (${text})`)
  const term = { ...fieldOf(column), descending: direction === "desc" }
  return nulls === "first" || nulls === "last" ? { ...term, nulls } : term
}
