import type { Ask } from "./ask.js"
import { literal, quoted } from "./sqlText.js"

/** What PostgreSQL answers to a request: one row. */
export interface Row {
  readonly body: string | null
  readonly page: number
  readonly total: number | undefined
  readonly created: number
  readonly headers: string | null
  readonly status: string | null
  readonly location: string | null
}

const word = (row: Readonly<Record<string, unknown>>, name: string): string | null => {
  const value = row[name]
  return typeof value === "string" ? value : null
}

export const rowOf = (row: Readonly<Record<string, unknown>>): Row => ({
  body: word(row, "body"),
  page: Number(word(row, "page") ?? 0),
  total: word(row, "total") === null ? undefined : Number(word(row, "total")),
  created: Number(word(row, "created") ?? 0),
  headers: word(row, "headers"),
  status: word(row, "status"),
  location: word(row, "location")
})

interface Statement {
  /** Common table expressions; the last is `pgrst_rows`. */
  readonly ctes: ReadonlyArray<readonly [name: string, sql: string]>
  readonly counted: string
  readonly body: string
  readonly total?: string | undefined
  readonly location?: string | undefined
}

/**
 * How many rows an upsert updated. A setting counts them, since a partitioned table does not show by a system column which
 * of its rows are new.
 */
const updated = "pgrst_embedded.updated"
const soFar = `coalesce(nullif(current_setting('${updated}', true), '')::integer, 0)`

/** True, and counts. */
export const countsUpdate = `set_config('${updated}', (${soFar} + 1)::text, true) <> ''`

export const statementSql = ({ body, counted, ctes, location, total }: Statement): string => `
  with ${ctes.map(([name, sql]) => `${name} as (${sql})`).join(", ")}
  select ${body} as body,
    (select count(*) from ${counted})::text as page,
    ${total === undefined ? "null::text" : `(select count(*) from (${total}) as pgrst_all)::text`} as total,
    (select count(*) - ${soFar} from ${counted})::text as created,
    ${location ?? "null::text"} as location,
    nullif(current_setting('response.headers', true), '') as headers,
    nullif(current_setting('response.status', true), '') as status`

/** What a request sets for its transaction, as PostgREST does: who asks, and what with. */
export const settingsSql = ({ caller, method, preferences, request, schema, url }: Ask): string => {
  const settings: ReadonlyArray<readonly [string, string]> = [
    ["search_path", [...new Set([schema, "public", "extensions"])].map(quoted).join(", ")],
    ["request.jwt.claims", JSON.stringify(caller.claims)],
    ["request.jwt.claim.sub", String(caller.claims["sub"] ?? "")],
    ["request.jwt.claim.role", caller.role],
    ["request.method", method],
    ["request.path", url.pathname.replace(/^\/rest\/v1/, "")],
    ["request.headers", JSON.stringify(Object.fromEntries(request.headers))],
    ["response.headers", ""],
    ["response.status", ""],
    [updated, ""],
    ...(preferences.timezone === undefined ? [] : [["timezone", preferences.timezone] as const]),
    ["role", caller.role]
  ]
  return `select ${settings.map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, true)`).join(", ")}`
}
