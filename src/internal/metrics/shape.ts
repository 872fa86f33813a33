/**
 * The shape of a request to PostgREST: table, operation, which columns are selected and filtered, and how. Never a value:
 * anything that could be one is left out, and unknown parts count as values.
 *
 * `grammar.ts` reads the query. The text for people is made from the key, once per shape.
 */
import { operatorEnd, root, type Sink, scan } from "./grammar.js"

export interface Shape {
  /** `SELECT`, `INSERT`, `UPSERT`, `UPDATE`, `DELETE`, `CALL`; otherwise the HTTP method. */
  readonly operation: string
  /** The table, view or function; empty if the request was for none. */
  readonly name: string
  /** The text for people, with `?` for each value. */
  readonly text: string
}

/** Longer shapes are compared by their first part only. */
const longest = 600

/** The start of PostgREST's part of the path; -1 if the request is for another Supabase service. */
const restAt = (path: string): number => {
  const at = path.indexOf(root)
  return at === -1 ? -1 : at + root.length
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return ""
  }
}

/**
 * `(price.lt.20,or(a.eq.1,b.is.null))` without its values. A value may hold anything between double quotes; a column
 * that is not a plain name is left out.
 */
const treeOf = (value: string): string => {
  const tokens = value.replace(/"(?:[^"\\]|\\.)*"/g, "?").matchAll(/(not\.)?(and|or)\(|[^(),]+|[(),]/g)
  let shape = ""
  let list = 0
  for (const [token, not = "", junction] of tokens) {
    if (list > 0) {
      // `in.(…)` and `eq(any).{…}` contain values only.
      if (token === "(") list += 1
      if (token === ")") list -= 1
    } else if (junction !== undefined) shape += `${not}${junction}(`
    else if (token === "(") {
      if (shape === "") shape = "("
      else list = 1
    } else if (token === ")" || token === ",") shape += token
    else shape += conditionOf(token)
  }
  return shape
}

const conditionOf = (token: string): string => {
  const [, column = "", rest = ""] = /^([\w>'-]+)\.(.*)$/s.exec(token) ?? []
  const operator = rest.slice(0, operatorEnd(`${rest}.`, 0, rest.length))
  return column === "" || operator === "" ? "?" : `${column}.${operator}`
}

class Key implements Sink {
  key: string

  constructor(key: string) {
    this.key = key
  }

  name(path: string, from: number, end: number): void {
    this.key += `&${path.slice(from, end)}`
  }

  text(path: string, from: number, end: number): void {
    this.key += path.slice(from, end)
  }

  conditions(path: string, from: number, end: number): boolean {
    this.key += encodeURIComponent(treeOf(decoded(path.slice(from, end))))
    return this.key.length < longest
  }
}

/** Equal for requests of one shape. `path` is the URL after the origin, query included. */
export const keyOf = (method: string, path: string): string => {
  const query = path.indexOf("?")
  if (restAt(path) === -1) return `${method} ${serviceOf(path)}`
  if (query === -1) return `${method} ${path.slice(0, longest)}`
  const sink = new Key(`${method} ${path.slice(0, Math.min(query, longest))}`)
  scan(path, query + 1, sink)
  return sink.key.length > longest ? sink.key.slice(0, longest) : sink.key
}

/** `/auth/v1` of `/auth/v1/admin/users/<id>`: the rest may name files and people. */
const serviceOf = (path: string): string => {
  const [, service = "", version = ""] = (path.split("?", 1)[0] ?? "").split("/", 3)
  return /^v\d+$/.test(version) ? `/${service}/${version}` : "/"
}

const verbs: ReadonlyMap<string, string> = new Map([
  ["GET", "SELECT"],
  ["HEAD", "SELECT"],
  ["POST", "INSERT"],
  ["PUT", "UPSERT"],
  ["PATCH", "UPDATE"],
  ["DELETE", "DELETE"]
])

const signs: ReadonlyMap<string, string> = new Map(
  Object.entries({ eq: "=", neq: "<>", gt: ">", gte: ">=", lt: "<", lte: "<=" })
)

interface Clauses {
  readonly where: Array<string>
  readonly args: Array<string>
  readonly order: Array<string>
  readonly rest: Array<string>
  select: string
  columns: string
  upsert: boolean
}

const condition = (name: string, operator: string): string => {
  const negated = operator.startsWith("not.")
  const word = negated ? operator.slice(4) : operator
  return `${negated ? "NOT " : ""}${name} ${signs.get(word) ?? word} ?`
}

const clausesOf = (query: string, isCall: boolean): Clauses => {
  const clauses: Clauses = { where: [], args: [], order: [], rest: [], select: "", columns: "", upsert: false }
  for (const part of query.split("&")) {
    const equals = part.indexOf("=")
    const name = decoded(equals === -1 ? part : part.slice(0, equals))
    const value = equals === -1 ? "" : decoded(part.slice(equals + 1))
    if (name === "") continue
    if (name === "select") clauses.select = value.replaceAll(",", ", ")
    else if (name === "columns") clauses.columns = value.replaceAll('"', "").replaceAll(",", ", ")
    else if (name === "on_conflict") clauses.upsert = true
    else if (/(^|\.)order$/.test(name)) clauses.order.push(name === "order" ? value : `${name} ${value}`)
    else if (/(^|\.)(limit|offset)$/.test(name)) clauses.rest.push(`${name.toUpperCase()} ?`)
    else if (/(^|\.)(and|or)$/.test(name)) clauses.where.push(`${name}${value}`)
    else if (value === "" && isCall) clauses.args.push(name)
    else clauses.where.push(value === "" ? `${name} ?` : condition(name, value))
  }
  return clauses
}

const textOf = (operation: string, name: string, clauses: Clauses): string => {
  const select = clauses.select === "" ? "*" : clauses.select
  const returning = clauses.select === "" ? "" : ` RETURNING ${select}`
  const columns = clauses.columns === "" ? "" : ` (${clauses.columns})`
  const where = clauses.where.length === 0 ? "" : ` WHERE ${clauses.where.join(" AND ")}`
  const order = clauses.order.length === 0 ? "" : ` ORDER BY ${clauses.order.join(", ")}`
  const rest = clauses.rest.length === 0 ? "" : ` ${clauses.rest.join(" ")}`
  switch (operation) {
    case "SELECT":
      return `SELECT ${select} FROM ${name}${where}${order}${rest}`
    case "INSERT":
    case "UPSERT":
      return `${operation} INTO ${name}${columns}${returning}`
    case "UPDATE":
      return `UPDATE ${name}${columns}${where}${order}${rest}${returning}`
    case "DELETE":
      return `DELETE FROM ${name}${where}${order}${rest}${returning}`
    default:
      return `${operation} ${name}(${clauses.args.join(", ")})${where}${order}${rest}`
  }
}

/** Parses a key. */
export const shapeOf = (key: string): Shape => {
  const space = key.indexOf(" ")
  const method = key.slice(0, space)
  const [path = "", ...query] = key.slice(space + 1).split("&")
  const at = restAt(path)
  if (at === -1) return { operation: method, name: "", text: `${method} ${path}` }
  const [, rpc, encoded = ""] = /^(rpc\/)?([^/]*)/.exec(path.slice(at)) ?? []
  const name = decoded(encoded)
  const clauses = clausesOf(query.join("&"), rpc !== undefined)
  const verb = rpc !== undefined ? "CALL" : (verbs.get(method) ?? method)
  const operation = verb === "INSERT" && clauses.upsert ? "UPSERT" : verb
  return { operation, name, text: textOf(operation, name, clauses) }
}
