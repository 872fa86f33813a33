import { type Field, Reader } from "./reader.js"
import { refuse } from "./refusal.js"

/** What is selected. */
export type Item = Star | Selected | Embed

interface Star {
  readonly kind: "star"
}

export interface Selected {
  readonly kind: "field"
  readonly field: Field
  readonly alias: string | undefined
  readonly cast: string | undefined
}

export interface Embed {
  readonly kind: "embed"
  readonly target: string
  readonly alias: string | undefined
  readonly hint: string | undefined
  readonly inner: boolean
  readonly spread: boolean
  readonly items: ReadonlyArray<Item>
}

export interface OrderTerm {
  /** The embedded relation that it is a column of. */
  readonly relation: string | undefined
  readonly field: Field
  readonly rest: string
}

/** What a field is held against. */
export type Test =
  | { readonly kind: "operator"; readonly sql: string; readonly quantifier: string | undefined; readonly value: string }
  | { readonly kind: "in"; readonly values: ReadonlyArray<string> }
  | { readonly kind: "is"; readonly sql: string }
  | { readonly kind: "search"; readonly sql: string; readonly config: string | undefined; readonly value: string }

export type Condition =
  | { readonly kind: "all" | "any"; readonly negated: boolean; readonly parts: ReadonlyArray<Condition> }
  | { readonly kind: "filter"; readonly negated: boolean; readonly field: Field; readonly test: Test }

const comparisons: Readonly<Record<string, string>> = {
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
  isdistinct: "is distinct from",
  cs: "@>",
  cd: "<@",
  ov: "&&",
  sl: "<<",
  sr: ">>",
  nxr: "&<",
  nxl: "&>",
  adj: "-|-"
}

const quantified = new Set(["eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"])

const searches: Readonly<Record<string, string>> = {
  fts: "to_tsquery",
  plfts: "plainto_tsquery",
  phfts: "phraseto_tsquery",
  wfts: "websearch_to_tsquery"
}

const truths: Readonly<Record<string, string>> = {
  null: "is null",
  not_null: "is not null",
  true: "is true",
  false: "is false",
  unknown: "is unknown"
}

const itemOf = (reader: Reader): Item => {
  if (reader.eat("*")) return { kind: "star" }
  const spread = reader.eat("...")
  const first = reader.field()
  const alias = !spread && first.path.length === 0 && reader.take(/:(?!:)/y) !== undefined ? first.name : undefined
  const field = alias === undefined ? first : reader.field()
  if (reader.take(/\.(?:sum|avg|min|max|count)\(\)/y) !== undefined || aggregate(field, reader)) {
    return refuse(400, "PGRST123", "Use of aggregate functions is not allowed")
  }
  if (field.path.length === 0) {
    const hints = [...marks(reader)]
    if (reader.eat("(")) {
      const joins = hints.filter((mark) => mark === "inner" || mark === "left")
      const items = reader.eat(")") ? [] : itemsOf(reader, ")")
      const hint = hints.find((mark) => mark !== "inner" && mark !== "left")
      return { kind: "embed", target: field.name, alias, hint, inner: joins.includes("inner"), spread, items }
    }
    if (spread || hints.length > 0) reader.fail()
  }
  const cast = reader.eat("::") ? (reader.take(/[\w ]+(?:\[\])?/y)?.[0] ?? reader.fail()) : undefined
  return { kind: "field", field, alias, cast }
}

/** `count()` alone; a column of that name is one. */
const aggregate = (field: Field, reader: Reader): boolean => field.name === "count" && reader.eat("()")

function* marks(reader: Reader): Generator<string> {
  while (reader.eat("!")) yield reader.name()
}

const itemsOf = (reader: Reader, end: string): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  for (;;) {
    reader.take(/ +/y)
    items.push(itemOf(reader))
    reader.take(/ +/y)
    if (end === "" ? reader.done : reader.eat(end)) return items
    reader.expect(",")
  }
}

/** `select=…` */
export const selectOf = (text: string): ReadonlyArray<Item> =>
  text === "" ? [] : itemsOf(new Reader(text, "select parameter"), "")

/** `order=…` */
export const orderOf = (text: string): ReadonlyArray<OrderTerm> => {
  const reader = new Reader(text, "order")
  const terms: Array<OrderTerm> = []
  do {
    const first = reader.field()
    const related = first.path.length === 0 && reader.eat("(")
    const field = related ? reader.field() : first
    if (related) reader.expect(")")
    const direction = reader.take(/\.(asc|desc)(?![a-z])/y)?.[1] ?? ""
    const nulls = reader.take(/\.nulls(first|last)(?![a-z])/y)?.[1]
    const rest = `${direction}${nulls === undefined ? "" : ` nulls ${nulls}`}`
    terms.push({ relation: related ? first.name : undefined, field, rest })
  } while (reader.eat(","))
  reader.end()
  return terms
}

/** Names between commas: `columns=…`, `on_conflict=…`. */
export const namesOf = (text: string, what: string): ReadonlyArray<string> => {
  const reader = new Reader(text, `${what} parameter`)
  const names = [reader.name()]
  while (reader.eat(",")) names.push(reader.name())
  reader.end()
  return names
}

const listOf = (reader: Reader): ReadonlyArray<string> => {
  reader.take(/ */y)
  reader.expect("(")
  const values: Array<string> = []
  do
    values.push(
      reader.take(/(?="(?:[^"\\]|\\[\s\S])*"[,)])/y) ? (reader.quoted() ?? "") : (reader.take(/[^,)]*/y)?.[0] ?? "")
    )
  while (reader.eat(","))
  reader.expect(")")
  return values.length === 1 && values[0] === "" ? [] : values
}

/** `not.eq.1` and what else may stand behind a field; `value` reads to where the value ends. */
const testOf = (reader: Reader, value: () => string): { readonly negated: boolean; readonly test: Test } => {
  const negated = reader.eat("not.")
  const word = reader.take(/[a-z]+/y)?.[0] ?? reader.fail()
  const search = Object.hasOwn(searches, word) ? searches[word] : undefined
  if (search !== undefined) {
    const config = reader.take(/\(([\w .]+)\)/y)?.[1]
    reader.expect(".")
    return { negated, test: { kind: "search", sql: search, config, value: value() } }
  }
  const quantifier = quantified.has(word) ? reader.take(/\((any|all)\)/y)?.[1] : undefined
  reader.expect(".")
  if (word === "in") return { negated, test: { kind: "in", values: listOf(reader) } }
  if (word === "is") {
    const truth = reader.take(/not_null|null|true|false|unknown/iy)?.[0].toLowerCase() ?? reader.fail()
    return { negated, test: { kind: "is", sql: truths[truth] ?? reader.fail() } }
  }
  const sql = Object.hasOwn(comparisons, word) ? comparisons[word] : undefined
  if (sql === undefined) return reader.fail()
  const wanted = value()
  const like = word === "like" || word === "ilike"
  return { negated, test: { kind: "operator", sql, quantifier, value: like ? wanted.replaceAll("*", "%") : wanted } }
}

/** Whether a value says an operator: what PostgREST tells filters by from the arguments of a function that is called by GET. */
export const saysOperator = (text: string): boolean => {
  const word = /^(?:not\.)?([a-z]+)(?:\([\w .]+\))?\./.exec(text)?.[1] ?? ""
  return word === "in" || word === "is" || Object.hasOwn(comparisons, word) || Object.hasOwn(searches, word)
}

/** A filter of its own: `column=eq.1`. Its value reaches to the end, whatever is in it. */
export const filterOf = (field: Field, text: string): Condition => {
  const reader = new Reader(text, "filter")
  const { negated, test } = testOf(reader, () => reader.rest())
  reader.end()
  return { kind: "filter", negated, field, test }
}

/** A value in a list of conditions: quoted, an array, or up to the next comma or bracket. */
const listedValue = (reader: Reader): string => {
  if (reader.take(/(?="(?:[^"\\]|\\[\s\S])*"\s*[,)])/y)) return reader.quoted() ?? reader.fail()
  return reader.take(/\{[^{}]*\}(?=\s*[,)])/y)?.[0] ?? reader.take(/[^,)]*/y)?.[0] ?? ""
}

const conditionOf = (reader: Reader): Condition => {
  reader.take(/\s*/y)
  const group = reader.take(/(not\.)?(and|or)(?=\()/y)
  if (group !== undefined) return groupOf(reader, group[2] === "and" ? "all" : "any", group[1] !== undefined)
  const field = reader.field()
  reader.expect(".")
  const { negated, test } = testOf(reader, () => listedValue(reader))
  return { kind: "filter", negated, field, test }
}

const groupOf = (reader: Reader, kind: "all" | "any", negated: boolean): Condition => {
  reader.expect("(")
  const parts: Array<Condition> = []
  do {
    parts.push(conditionOf(reader))
    reader.take(/\s*/y)
  } while (reader.eat(","))
  reader.expect(")")
  return { kind, negated, parts }
}

/** `or=(…)`, `not.and=(…)` and their like. */
export const logicOf = (kind: "all" | "any", negated: boolean, text: string): Condition => {
  const reader = new Reader(text, "logic tree")
  const group = groupOf(reader, kind, negated)
  reader.end()
  return group
}

/** The name of a parameter that is a filter: the embedded resources that lead to it, and the field. */
export const keyOf = (key: string): { readonly path: ReadonlyArray<string>; readonly field: Field } => {
  const reader = new Reader(key, "tree path")
  const path: Array<string> = []
  for (;;) {
    const field = reader.field()
    if (field.path.length > 0 || !reader.eat(".")) {
      reader.end()
      return { path, field }
    }
    path.push(field.name)
  }
}
