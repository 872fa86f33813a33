/**
 * The shape of a request to PostgREST: table, operation, which columns are selected and filtered, and how. Never a
 * value: what could be one is left out, and what is not understood is taken for a value.
 *
 * `keyOf` runs for each operation, so it scans the path once and decodes nothing; what people read is made of the key,
 * once per shape.
 */

export interface Shape {
  /** `SELECT`, `INSERT`, `UPSERT`, `UPDATE`, `DELETE`, `CALL`; otherwise the HTTP method; empty when nothing was sent. */
  readonly operation: string
  /** The table, view or function; empty where the request was for none. */
  readonly name: string
  /** As people read it, with `?` for each value. */
  readonly text: string
}

/** Parameters whose values are names of columns and orders, and so belong to the shape. */
export const kept: ReadonlySet<string> = new Set(["select", "order", "columns", "on_conflict"])

export const trees: ReadonlySet<string> = new Set(["and", "or", "not.and", "not.or"])

export const operators: ReadonlySet<string> = new Set(
  "eq gt gte lt lte neq like ilike match imatch in is isdistinct fts plfts phfts wfts cs cd ov sl sr nxr nxl adj".split(
    " "
  )
)

/** A shape that is longer is told from another by its beginning. */
const longest = 600

export const root = "/rest/v1/"

/** Where PostgREST's part of the path begins; -1 where the request is for another service of Supabase's. */
const restAt = (path: string): number => {
  const at = path.indexOf(root)
  return at === -1 ? -1 : at + root.length
}

/** `category` of `category`, `order` of `orders.order`: what a parameter for an embedded table does. */
const lastWord = (name: string): string => {
  const dot = name.lastIndexOf(".")
  return dot === -1 ? name : name.slice(dot + 1)
}

/** The operator at the beginning of a filter's value, `not.` before it included; empty where there is none. */
const operatorOf = (value: string, from: number, end: number): string => {
  const negated = value.startsWith("not.", from)
  const start = negated ? from + 4 : from
  let at = start
  while (at < end && value.charCodeAt(at) >= 0x61 && value.charCodeAt(at) <= 0x7a) at += 1
  // `eq.`, `eq(any).`, `fts(english).`, the bracket encoded or not.
  const next = value.charCodeAt(at)
  if (next !== 0x2e && next !== 0x28 && !value.startsWith("%28", at)) return ""
  const word = value.slice(start, at)
  if (!operators.has(word)) return ""
  return negated ? `not.${word}` : word
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
      // Inside of `in.(…)` or `eq(any).{…}` there are values only.
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
  const operator = operatorOf(`${rest}.`, 0, rest.length + 1)
  return column === "" || operator === "" ? "?" : `${column}.${operator}`
}

/** Equal for requests of one shape. `path` is what follows the origin, query included. */
export const keyOf = (method: string, path: string): string => {
  const query = path.indexOf("?")
  if (restAt(path) === -1) return `${method} ${serviceOf(path)}`
  if (query === -1) return `${method} ${path.slice(0, longest)}`
  let key = `${method} ${path.slice(0, Math.min(query, longest))}`
  let from = query + 1
  while (from < path.length && key.length < longest) {
    const next = path.indexOf("&", from)
    const end = next === -1 ? path.length : next
    key += parameterOf(path, from, end)
    from = end + 1
  }
  return key.length > longest ? key.slice(0, longest) : key
}

const parameterOf = (path: string, from: number, end: number): string => {
  const equals = path.indexOf("=", from)
  if (equals === -1 || equals > end) return `&${path.slice(from, end)}`
  const name = path.slice(from, equals)
  const word = lastWord(name)
  if (kept.has(word)) return `&${path.slice(from, end)}`
  if (trees.has(word)) return `&${name}=${encodeURIComponent(treeOf(decoded(path.slice(equals + 1, end))))}`
  return `&${name}=${operatorOf(path, equals + 1, end)}`
}

/** `/auth/v1` of `/auth/v1/admin/users/<id>`: what follows may name files and people. */
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
    else if (lastWord(name) === "order") clauses.order.push(name === "order" ? value : `${name} ${value}`)
    else if (/(^|\.)(limit|offset)$/.test(name)) clauses.rest.push(`${name.toUpperCase()} ?`)
    else if (trees.has(lastWord(name))) clauses.where.push(`${name}${value}`)
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

/** What a key says. */
export const shapeOf = (key: string): Shape => {
  if (key === "") return { operation: "", name: "", text: "(nothing was sent: left while waiting, or refused)" }
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
