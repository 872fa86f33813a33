/**
 * PostgREST's filter grammar, read back into a tree: what the builder wrote into the URL.
 *
 * Follows PostgREST's "Tables and Views" reference: `column=[not.]operator[(any|all)].value`, and for `or` and `and` a
 * tree of `column.operator.value` in parentheses, where a value may stand in double quotes with backslash escapes.
 */
import * as Reference from "./reference.js"
import { type Condition, type Field, type Filter, Unsupported } from "./step.js"

const plain = new Set([
  "eq",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
  "isdistinct",
  "cs",
  "cd",
  "ov",
  "sl",
  "sr",
  "nxr",
  "nxl",
  "adj"
])
const patterns = new Set(["like", "ilike"])
const quantifiable = new Set(["eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"])
const searches = new Set(["fts", "plfts", "phfts", "wfts"])
const states = new Set(["null", "not_null", "true", "false", "unknown"])

/** The parts between separators that do not stand in double quotes. */
export const outsideQuotes = (text: string, separator: string): ReadonlyArray<string> =>
  text.split(new RegExp(`${separator}(?=(?:[^"]*"[^"]*")*[^"]*$)`))

/** `data->a->>0` → the column and its hops; a key of digits is an array index, as PostgREST takes it. */
export const fieldOf = (text: string): Field => {
  const [column = "", ...rest] = outsideQuotes(text, "(->>?)")
  if (column.replace(/^".*"$/s, "").includes(".")) throw new Unsupported(`the embedded resource in "${text}"`)
  const path: Array<readonly ["->" | "->>", string | number]> = []
  for (let i = 0; i + 1 < rest.length; i += 2) {
    const key = rest[i + 1] ?? ""
    path.push([rest[i] === "->>" ? "->>" : "->", /^-?\d+$/.test(key) ? Number(key) : unquoted(key)])
  }
  return path.length === 0 ? { column: unquoted(column) } : { column: unquoted(column), path }
}

export const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text

const operatorPattern = /^(not\.)?([a-z]+)(?:\(([^)]*)\))?\.([\s\S]*)$/

/** `column`, `not.gte.10` → a condition. */
export const conditionOf = (column: string, text: string): Filter => {
  const match = operatorPattern.exec(text)
  if (match === null) throw new Unsupported(`the filter ${column}=${text}`)
  const [, not, op = "", argument, value = ""] = match
  const condition = build(fieldOf(column), op, argument, value)
  return not === undefined ? condition : { not: condition }
}

const build = (field: Field, op: string, argument: string | undefined, text: string): Condition => {
  if (Reference.isWithin(text) && op !== "in") throw new Unsupported("a reference inside a longer text")
  if (op === "in") return { ...field, op, values: listOf(text).map(Reference.from) }
  if (op === "is") {
    if (!states.has(text.toLowerCase())) throw new Unsupported(`is.${text}`)
    return { ...field, op, value: { v: text.toLowerCase() } }
  }
  if (searches.has(op)) {
    return { ...field, op, value: { v: text }, ...(argument === undefined ? {} : { config: argument }) }
  }
  const value = Reference.from(patterns.has(op) ? text.replaceAll("*", "%") : text)
  if (argument === "any" || argument === "all") {
    if (!quantifiable.has(op)) throw new Unsupported(`the operator ${op}(${argument})`)
    return { ...field, op, quantifier: argument, value }
  }
  if (argument === undefined && (plain.has(op) || patterns.has(op) || quantifiable.has(op)))
    return { ...field, op, value }
  throw new Unsupported(`the operator ${argument === undefined ? op : `${op}(${argument})`}`)
}

/** `(a,"b,c")` → the elements; `()` has none. */
const listOf = (text: string): ReadonlyArray<string> => {
  const reader = new Reader(text)
  reader.expect("(")
  const items: Array<string> = []
  do items.push(reader.listElement())
  while (reader.take(","))
  reader.expect(")")
  return items.length === 1 && items[0] === "" ? [] : items
}

/** `or`, `(a.eq.1,and(b.gt.2,c.is.null))` → the tree. */
export const treeOf = (connective: string, text: string): Filter => {
  const reader = new Reader(text)
  const tree = reader.tree(connective)
  reader.end()
  return tree
}

class Reader {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false
    this.at += token.length
    return true
  }

  expect(token: string): void {
    if (!this.take(token)) throw new Unsupported(`the filter ${this.text}`)
  }

  end(): void {
    if (this.at !== this.text.length) throw new Unsupported(`the filter ${this.text}`)
  }

  tree(connective: string): Filter {
    this.expect("(")
    const parts: Array<Filter> = []
    do parts.push(this.node())
    while (this.take(","))
    this.expect(")")
    return connective === "or" ? { or: parts } : { and: parts }
  }

  private node(): Filter {
    const group = /^(not\.)?(and|or)(?=\()/.exec(this.text.slice(this.at))
    if (group !== null) {
      this.at += group[0].length
      const tree = this.tree(group[2] ?? "and")
      return group[1] === undefined ? tree : { not: tree }
    }
    const column = this.until(/[.]/, true)
    this.expect(".")
    const head = /^(not\.)?[a-z]+(?:\([^)]*\))?\./.exec(this.text.slice(this.at))
    if (head === null) throw new Unsupported(`the filter ${this.text}`)
    this.at += head[0].length
    const value = /^(not\.)?in\.$/.test(head[0]) ? this.list() : this.value()
    return conditionOf(column, `${head[0]}${value}`)
  }

  private list(): string {
    const from = this.at
    this.expect("(")
    do this.listElement()
    while (this.take(","))
    this.expect(")")
    return this.text.slice(from, this.at)
  }

  listElement(): string {
    return this.quoted() ?? this.until(/[,)]/)
  }

  private value(): string {
    const quoted = this.quoted()
    if (quoted !== undefined) return quoted
    const array = /^\{[^{}]*\}/.exec(this.text.slice(this.at))
    if (array !== null) {
      this.at += array[0].length
      return array[0]
    }
    return this.until(/[,)]/)
  }

  /** A quoted value only where nothing but a separator follows; else the quotes are a part of the text. */
  private quoted(): string | undefined {
    const match = /^"((?:[^"\\]|\\[\s\S])*)"(?=[,)]|$)/.exec(this.text.slice(this.at))
    if (match === null) return undefined
    this.at += match[0].length
    return (match[1] ?? "").replace(/\\([\s\S])/g, "$1")
  }

  private until(stop: RegExp, mayQuote = false): string {
    if (mayQuote) {
      const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(this.text.slice(this.at))
      if (quoted !== null) {
        this.at += quoted[0].length
        return quoted[0]
      }
    }
    const from = this.at
    while (this.at < this.text.length && !stop.test(this.text.charAt(this.at))) this.at += 1
    return this.text.slice(from, this.at)
  }
}
