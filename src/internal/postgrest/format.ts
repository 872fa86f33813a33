import { refuse } from "./refusal.js"

/** The form in which a caller wants the rows. */
export interface Format {
  readonly type: string
  readonly single: boolean
  readonly stripped: boolean
  readonly csv: boolean
}

export const formatOf = (accept: string): Format => {
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    const stripped = parameters.includes("nulls=stripped")
    const as = (media: string, rest: Partial<Format> = {}): Format => ({
      type: `${media}${stripped ? ";nulls=stripped" : ""}; charset=utf-8`,
      single: false,
      stripped,
      csv: false,
      ...rest
    })
    if (type === "" || type === "*/*" || type === "application/*" || type === "application/json")
      return as("application/json")
    if (type === "application/vnd.pgrst.array+json" || type === "application/vnd.pgrst.array")
      return as("application/vnd.pgrst.array+json")
    if (type === "application/vnd.pgrst.object+json" || type === "application/vnd.pgrst.object") {
      return as("application/vnd.pgrst.object+json", { single: true })
    }
    if (type === "text/csv") return as("text/csv", { csv: true })
  }
  return refuse(406, "PGRST107", `None of these media types are available: ${accept}`)
}

const csvSql = (rows: string): string => `(
  select coalesce((select string_agg(key, ',') from json_object_keys((select row_to_json(pgrst_row) from ${rows} as pgrst_row limit 1)) as key), '')
    || coalesce(e'\\n' || string_agg(substring(pgrst_row::text, 2, length(pgrst_row::text) - 2), e'\\n'), '')
  from ${rows} as pgrst_row)`

const jsonSql = (rows: string, format: Format, scalar: boolean, alone: boolean): string => {
  const value = scalar ? "pgrst_row.pgrst_scalar" : "pgrst_row"
  const all = `(select coalesce(json_agg(${value}), '[]'::json) from ${rows} as pgrst_row)`
  const wanted = format.single || alone ? `coalesce((${all})->0, 'null'::json)` : all
  return format.stripped ? `json_strip_nulls(${wanted})::text` : `(${wanted})::text`
}

/** The rows of a table expression, as one text; `alone` is what gives one row or value, and no list. */
export const bodySql = (format: Format, rows: string, scalar = false, alone = false): string =>
  format.csv ? csvSql(rows) : jsonSql(rows, format, scalar, alone)
