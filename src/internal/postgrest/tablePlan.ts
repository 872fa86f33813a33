import { answered, oneRow, pageAnswer, ranged, rangeOf, withinBound } from "./answer.js"
import { type Ask, namesFrom, type Plan, parametersOf } from "./ask.js"
import { type Catalog, type Named, type Relation, relationOf } from "./catalog.js"
import { bodySql } from "./format.js"
import { payloadOf } from "./payload.js"
import { questionOf } from "./question.js"
import { type Question, readingSql, resultSource, tableSource, totalSql } from "./reading.js"
import { notHere, refuse } from "./refusal.js"
import { literal, qualified, quoted } from "./sqlText.js"
import { type Row, statementSql } from "./statement.js"
import { deleteSql, insertSql, updateSql, type Write } from "./writing.js"

/** How many letters differ. */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1]
    for (const [index, wanted] of [...other].entries()) {
      next.push(
        Math.min((row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1, (row[index] ?? 0) + (letter === wanted ? 0 : 1))
      )
    }
    row = next
  }
  return row.at(-1) ?? 0
}

const tableOf = (catalog: Catalog, wanted: Named): Relation => {
  const relation = relationOf(catalog, wanted)
  if (relation !== undefined) return relation
  const near = catalog.relations.find(
    ({ name, schema }) => schema === wanted.schema && distance(name, wanted.name) <= 2
  )
  return refuse(
    404,
    "PGRST205",
    `Could not find the table '${wanted.schema}.${wanted.name}' in the schema cache`,
    null,
    near === undefined ? null : `Perhaps you meant the table '${near.schema}.${near.name}'`
  )
}

const read = (ask: Ask, relation: Relation): Plan => {
  const question = ranged(ask, questionOf(parametersOf(ask.url)))
  const source = tableSource(relation)
  const sql = statementSql({
    ctes: [["pgrst_rows", readingSql(ask.catalog, source, question)]],
    counted: "pgrst_rows",
    body: bodySql(ask.format, "pgrst_rows"),
    total: ask.preferences.count === undefined ? undefined : totalSql(ask.catalog, source, question)
  })
  return { readOnly: true, sql, answer: (row) => pageAnswer(ask, row, question, `/${relation.name}`) }
}

const locationSql = (relation: Relation): string | undefined => {
  if (relation.key.length === 0) return undefined
  const parts = relation.key.map((name) => `${literal(`${name}=eq.`)} || pgrst_source.${quoted(name)}::text`)
  return `(select ${literal(`/${relation.name}?`)} || ${parts.join(" || '&' || ")} from pgrst_source limit 1)`
}

/** What every write answers, from the rows that it gave back. */
const written = (ask: Ask, write: Write, sql: string, statusOf: (row: Row) => number): Plan => {
  const { catalog, question, relation } = write
  const shown = ask.preferences.returned === "representation"
  const source = resultSource(relation)
  const asked: Question = { ...question, conditions: [], limit: undefined, offset: undefined }
  const rows = shown ? readingSql(catalog, source, asked) : "select"
  const headersOnly = ask.preferences.returned === "headers-only"
  return {
    readOnly: false,
    sql: statementSql({
      ctes: [
        ["pgrst_source", sql],
        ["pgrst_rows", rows]
      ],
      counted: "pgrst_source",
      body: shown ? bodySql(ask.format, "pgrst_rows") : "null::text",
      location: headersOnly && ask.method === "POST" ? locationSql(relation) : undefined
    }),
    answer: (row) => {
      withinBound(ask, row)
      oneRow(ask, row)
      const total = ask.preferences.count === undefined ? undefined : row.page
      const range = ask.method === "PATCH" ? rangeOf(0, row.page, total) : `*/${total ?? "*"}`
      return answered(ask, row, statusOf(row), shown ? row.body : null, {
        "Content-Range": range,
        ...(shown ? { "Content-Type": ask.format.type } : {}),
        ...(row.location === null ? {} : { Location: row.location })
      })
    }
  }
}

const writeOf = (ask: Ask, relation: Relation): Write => {
  const question = questionOf(parametersOf(ask.url))
  if (question.limit !== undefined || question.offset !== undefined) notHere("a write with a limit or an offset")
  return { catalog: ask.catalog, relation, question, preferences: ask.preferences }
}

const insert = (ask: Ask, relation: Relation): Plan => {
  const write = writeOf(ask, relation)
  const payload = payloadOf(ask.request, ask.body, namesFrom(ask, "columns"))
  const merged = ask.preferences.resolution === "merge-duplicates"
  const nothing = payload.count === 0 ? `select from ${qualified(relation)} where false` : undefined
  const sql = nothing ?? insertSql(write, payload, namesFrom(ask, "on_conflict"))
  const status = (row: Row): number => (merged && row.created === 0 ? 200 : 201)
  if (nothing !== undefined) return unchanged(ask, relation, 201)
  return written(ask, write, sql, status)
}

/** Nothing to write: an empty list, an update of no column. */
const unchanged = (ask: Ask, relation: Relation, status: number): Plan => ({
  readOnly: false,
  sql: statementSql({
    ctes: [["pgrst_rows", `select from ${qualified(relation)} where false`]],
    counted: "pgrst_rows",
    body: "'[]'"
  }),
  answer: (row) => {
    oneRow(ask, row)
    const shown = ask.preferences.returned === "representation"
    const total = ask.preferences.count === undefined ? "*" : "0"
    return answered(ask, row, shown ? Math.min(status, 201) : status === 200 ? 204 : status, shown ? row.body : null, {
      "Content-Range": `*/${total}`,
      ...(shown ? { "Content-Type": ask.format.type } : {})
    })
  }
})

const update = (ask: Ask, relation: Relation): Plan => {
  const write = writeOf(ask, relation)
  const payload = payloadOf(ask.request, ask.body, namesFrom(ask, "columns"))
  if (payload.names.length === 0) return unchanged(ask, relation, 200)
  return written(ask, write, updateSql(write, payload), () => shownStatus(ask))
}

const shownStatus = ({ preferences }: Ask): number => (preferences.returned === "representation" ? 200 : 204)

const remove = (ask: Ask, relation: Relation): Plan => {
  const write = writeOf(ask, relation)
  return written(ask, write, deleteSql(write), () => shownStatus(ask))
}

/** A request to a table or a view. */
export const tablePlan = (ask: Ask, name: string): Plan => {
  const relation = tableOf(ask.catalog, { schema: ask.schema, name })
  switch (ask.method) {
    case "GET":
    case "HEAD":
      return read(ask, relation)
    case "POST":
      return insert(ask, relation)
    case "PATCH":
      return update(ask, relation)
    case "DELETE":
      return remove(ask, relation)
    default:
      return notHere(`${ask.method} of a table`)
  }
}
