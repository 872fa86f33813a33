import type { Catalog, Relation } from "./catalog.js"
import type { Payload } from "./payload.js"
import type { Preferences } from "./preferences.js"
import { type Question, returnedColumns, tableSource, targetSql } from "./reading.js"
import { refuse } from "./refusal.js"
import { literal, qualified, quoted } from "./sqlText.js"
import { countsUpdate } from "./statement.js"

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

/** The returned columns: none that was not asked for, since each needs a privilege. */
const returnedNames = ({ catalog, preferences, question, relation }: Write): ReadonlyArray<string> => {
  if (preferences.returned === "headers-only") return relation.key
  if (preferences.returned !== "representation") return []
  const names = returnedColumns(catalog, tableSource(relation), question)
  return names === "all" ? relation.columns.map(({ name }) => name) : names
}

const returning = (write: Write): string => {
  const { reference } = tableSource(write.relation)
  const list = returnedNames(write).map((name) => `${reference}.${quoted(name)}`)
  return ` returning ${list.length === 0 ? "1 as pgrst_one" : list.join(", ")}`
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
  const set = names.map((name) => `${quoted(name)} = excluded.${quoted(name)}`).join(", ")
  return `${on}update set ${set} where ${countsUpdate}`
}

export const insertSql = (write: Write, payload: Payload, target: ReadonlyArray<string> | undefined): string => {
  const into = `insert into ${qualified(write.relation)}`
  const conflict = conflictSql(write, payload.names, target ?? write.relation.key)
  if (payload.names.length === 0 && payload.count > 0) {
    return `${into} select from generate_series(1, ${payload.count})${conflict}${returning(write)}`
  }
  const columns = payload.names.map(quoted).join(", ")
  return `${into} (${columns}) ${rowsOfBody(write, payload)}${conflict}${returning(write)}`
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
