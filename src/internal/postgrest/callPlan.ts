import { answered, pageAnswer, ranged, withinBound } from "./answer.js"
import { type Ask, namesFrom, type Plan, parametersOf } from "./ask.js"
import { type Arguments, callingSql, routineOf } from "./calling.js"
import { relationOf } from "./catalog.js"
import { bodySql } from "./format.js"
import { isJson, jsonOf } from "./payload.js"
import { isArgument, questionOf } from "./question.js"
import { readingSql, resultSource, totalSql } from "./reading.js"
import { notHere, refuse } from "./refusal.js"
import { statementSql } from "./statement.js"

const rawTypes: Readonly<Record<string, string>> = {
  "text/plain": "text",
  "text/xml": "xml",
  "application/octet-stream": "bytea"
}

const argumentsOf = (ask: Ask): Arguments => {
  if (ask.method !== "POST") {
    const words = parametersOf(ask.url).filter(([name, value]) => isArgument(name, value))
    return { kind: "words", words }
  }
  const type = ask.request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? ""
  const raw = Object.hasOwn(rawTypes, type) ? rawTypes[type] : undefined
  if (raw !== undefined) return { kind: "raw", type: raw, text: ask.body }
  if (!isJson(ask.request)) return notHere(`a body of type ${type}`)
  if (ask.body === "") return { kind: "json", text: "{}", names: [] }
  const value = jsonOf(ask.body)
  const columns = namesFrom(ask, "columns")
  const names = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : undefined
  return { kind: "json", text: ask.body, names: columns ?? names }
}

/** A request to a function. */
export const callPlan = (ask: Ask, name: string): Plan => {
  if (!["GET", "HEAD", "POST"].includes(ask.method)) {
    return refuse(405, "PGRST101", `Cannot use the ${ask.method} method on RPC`)
  }
  const wanted = { schema: ask.schema, name }
  const given = argumentsOf(ask)
  const routine = routineOf(ask.catalog, wanted, given)
  const filters = parametersOf(ask.url).filter(([key, value]) => ask.method === "POST" || !isArgument(key, value))
  const question = ranged(ask, questionOf(filters))
  const relation = routine.relation === null ? undefined : relationOf(ask.catalog, routine.relation)
  const source = resultSource(relation)
  const scalar = !routine.composite
  const sql = statementSql({
    ctes: [
      ["pgrst_source", callingSql(routine, given)],
      ["pgrst_rows", readingSql(ask.catalog, source, question)]
    ],
    counted: "pgrst_rows",
    body: bodySql(ask.format, "pgrst_rows", scalar, !routine.set),
    total: ask.preferences.count === undefined ? undefined : totalSql(ask.catalog, source, question)
  })
  return {
    readOnly: ask.method !== "POST" || !routine.volatile,
    sql,
    answer: (row) => {
      if (routine.nothing) return answered(ask, row, 204, null, { "Content-Range": "0-0/*" })
      if (ask.method === "POST") withinBound(ask, row)
      return pageAnswer(ask, row, question, `/rpc/${name}`)
    }
  }
}
