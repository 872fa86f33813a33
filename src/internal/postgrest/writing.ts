import type { Catalog, Relation } from "./catalog.js"
import type { Payload } from "./payload.js"
import type { Preferences } from "./preferences.js"
import { type Question, returnedColumns, tableSource, targetSql } from "./reading.js"
import { refuse } from "./refusal.js"
import { literal, qualified, quoted } from "./sqlText.js"

export interface Write {
  readonly catalog: Catalog
  readonly relation: Relation
  readonly question: Question
  readonly preferences: Preferences
}

const columnsOf = (relation: Relation, names: ReadonlyArray<string>) =>
  names.map(
    (name) =>
      relation.columns.find((column) => column.name === name) ??
      refuse(400, "PGRST204", `Could not find the '${name}' column of '${relation.name}' in the schema cache`)
  )

/** What is given back: nothing that is not asked for, since it wants a privilege. */
const returning = ({ catalog, preferences, question, relation }: Write, alias?: string): string => {
  const source = tableSource(relation)
  const created = alias === undefined ? "" : `, (xmax = 0) as ${quoted(alias)}`
  const columns = preferences.returned === "representation" ? returnedColumns(catalog, source, question) : []
  const names = preferences.returned === "headers-only" ? relation.key : columns
  if (names === "all") return ` returning ${source.reference}.*${created}`
  const list = names.map((name) => `${source.reference}.${quoted(name)}`)
  return ` returning ${list.length === 0 ? "1 as pgrst_one" : list.join(", ")}${created}`
}

/** The rows of the body with the types of the columns. What is missing is the default where that was asked for. */
const rowsOfBody = (write: Write, payload: Payload): string => {
  const columns = columnsOf(write.relation, payload.names)
  const shape = columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(", ")
  if (write.preferences.missing !== "default") {
    const list = columns.map(({ name }) => `pgrst_body.${quoted(name)}`).join(", ")
    return `select ${list} from json_to_recordset(${literal(payload.text)}::json) as pgrst_body(${shape})`
  }
  const list = columns.map(({ byDefault, name }) => {
    const given = `pgrst_body.${quoted(name)}`
    return byDefault === null ? given : `case when pgrst_one ? ${literal(name)} then ${given} else ${byDefault} end`
  })
  return `select ${list.join(", ")} from jsonb_array_elements(${literal(payload.text)}::jsonb) as pgrst_one,
    lateral jsonb_to_record(pgrst_one) as pgrst_body(${shape})`
}

const conflictSql = (write: Write, names: ReadonlyArray<string>, target: ReadonlyArray<string>): string => {
  const { resolution } = write.preferences
  if (resolution === undefined || target.length === 0) return ""
  const on = ` on conflict (${target.map(quoted).join(", ")}) do `
  if (resolution === "ignore-duplicates" || names.length === 0) return `${on}nothing`
  return `${on}update set ${names.map((name) => `${quoted(name)} = excluded.${quoted(name)}`).join(", ")}`
}

/** `alias` is the name of a column that says whether a row is new. */
export const insertSql = (
  write: Write,
  payload: Payload,
  target: ReadonlyArray<string> | undefined,
  alias: string | undefined
): string => {
  const into = `insert into ${qualified(write.relation)}`
  const conflict = conflictSql(write, payload.names, target ?? write.relation.key)
  if (payload.names.length === 0 && payload.count > 0) {
    return `${into} select from generate_series(1, ${payload.count})${conflict}${returning(write, alias)}`
  }
  const columns = payload.names.map(quoted).join(", ")
  return `${into} (${columns}) ${rowsOfBody(write, payload)}${conflict}${returning(write, alias)}`
}

export const updateSql = (write: Write, payload: Payload): string => {
  const { catalog, question, relation } = write
  const set = columnsOf(relation, payload.names).map(({ name }) => `${quoted(name)} = pgrst_body.${quoted(name)}`)
  const body = rowsOfBody({ ...write, preferences: { ...write.preferences, missing: undefined } }, payload)
  const where = targetSql(catalog, tableSource(relation), question)
  return `update ${qualified(relation)} set ${set.join(", ")} from (${body} limit 1) as pgrst_body${where}${returning(write)}`
}

export const deleteSql = (write: Write): string => {
  const { catalog, question, relation } = write
  return `delete from ${qualified(relation)}${targetSql(catalog, tableSource(relation), question)}${returning(write)}`
}
