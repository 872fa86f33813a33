/**
 * A `where` as PostgREST is asked for it. Two-valued: a row fulfils a condition or it does not, and `not` finds all the
 * others, where SQL would find neither where the column is NULL.
 */
import { Effect } from "effect"
import type { DecodeError } from "../../Errors.js"
import type { Column, Columns } from "./columns.js"
import { Comparison, type Term } from "./comparison.js"
import { arrayOf, equality, isPlain, listOf, named, quoted, regexOfLike, type Scalar } from "./literal.js"

/** One filter: `inTree` is its operator and value where it stands among others in parentheses. */
export interface Leaf {
  readonly column: string
  readonly op: string
  readonly value: unknown
  readonly inTree: string
}

export type Tree = Leaf | Group

interface Group {
  readonly connective: "and" | "or"
  readonly trees: ReadonlyArray<Tree>
}

/** Which of a list, with what is to be known to ask for it in parts. */
export interface Choice {
  readonly column: Column
  readonly values: ReadonlyArray<NonNullable<Scalar>>
  readonly orNull: boolean
}

type Built = Effect.Effect<Tree, DecodeError>

const isGroup = (tree: Tree): tree is Group => "connective" in tree

const group = (connective: "and" | "or", trees: ReadonlyArray<Tree>): Tree => {
  const flat = trees.flatMap((tree) => (isGroup(tree) && tree.connective === connective ? tree.trees : [tree]))
  const [only, ...more] = flat
  return only !== undefined && more.length === 0 ? only : { connective, trees: flat }
}

/** One of these at least. */
export const either = (trees: ReadonlyArray<Tree>): Tree => group("or", trees)

const leaf = (
  { column }: Column,
  op: string,
  value: unknown,
  inTree: string = `${op}.${value === "" ? quoted("") : value}`
): Leaf => ({
  column,
  op,
  value,
  inTree
})

const isNull = (column: Column): Tree => leaf(column, "is", null)

const isNotNull = (column: Column): Tree => leaf(column, "not.is", null)

/** To what SQL says of values, the rows where there is none; a column that has no NULL needs no asking. */
const alsoNull = (column: Column, tree: Tree): Tree => (column.nullable ? group("or", [tree, isNull(column)]) : tree)

/** In parentheses its text is quoted where it has braces within, which would end it. */
const ofArray = (column: Column, op: string, text: string): Leaf =>
  leaf(column, op, text, `${op}.${/^\{[^{}]*\}$/.test(text) ? text : quoted(text)}`)

// -------------------------------------------------------------------------------------
// values
// -------------------------------------------------------------------------------------

/** A scalar, or undefined for an object or a list that is wanted whole. */
const oneOf = (
  columns: Columns,
  column: Column,
  value: unknown
): Effect.Effect<NonNullable<Scalar> | undefined, DecodeError> =>
  value === null
    ? Effect.succeed(undefined)
    : Effect.map(columns.encodeScalar(column, value), (scalar) => scalar ?? undefined)

export const choiceOf = (
  columns: Columns,
  column: Column,
  values: ReadonlyArray<unknown>
): Effect.Effect<Choice, DecodeError> =>
  Effect.map(
    Effect.forEach(values, (value) => oneOf(columns, column, value)),
    (scalars) => {
      const present = scalars.filter((scalar) => scalar !== undefined)
      return { column, values: [...new Set(present)], orNull: present.length < scalars.length }
    }
  )

export const anyOf = ({ column, orNull, values }: Choice, negated = false): Tree => {
  const [only, ...more] = values
  if (only === undefined && orNull) return negated ? isNotNull(column) : isNull(column)
  const not = negated ? "not." : ""
  const [op, value] = only !== undefined && more.length === 0 ? equality(only) : ["in", listOf(values)]
  const found = leaf(column, `${not}${op}`, value)
  if (negated) return orNull || only === undefined ? found : alsoNull(column, found)
  return orNull ? group("or", [found, isNull(column)]) : found
}

/** What is compared by size, or is another: one value, and none of no value. */
const single = (columns: Columns, column: Column, value: unknown): Effect.Effect<NonNullable<Scalar>, DecodeError> =>
  Effect.flatMap(oneOf(columns, column, value), (scalar) =>
    scalar === undefined
      ? columns.refuse(
          "filter",
          column.name,
          "nothing is more or less than null, or other; null and not(null) are for it"
        )
      : Effect.succeed(scalar)
  )

// -------------------------------------------------------------------------------------
// comparisons
// -------------------------------------------------------------------------------------

const compared = (columns: Columns, column: Column, term: Term, negated: boolean): Built => {
  const not = negated ? "not." : ""
  const rest = (found: Tree): Tree => (negated ? alsoNull(column, found) : found)
  switch (term.kind) {
    case "not":
      return conditionOf(columns, column, term.term, !negated)
    case "and":
    case "or": {
      const connective = (term.kind === "and") === negated ? "or" : "and"
      if (term.terms.length === 0) {
        return columns.refuse("filter", column.name, `${term.kind} of no comparisons`)
      }
      return Effect.map(
        Effect.forEach(term.terms, (each) => conditionOf(columns, column, each, negated)),
        (trees) => group(connective, trees)
      )
    }
    case "neq":
      return Effect.map(single(columns, column, term.value), (value) => {
        const [op, operand] = equality(value)
        return negated ? alsoNull(column, leaf(column, op, operand)) : differing(column, op, operand)
      })
    case "size":
      return Effect.map(single(columns, column, term.value), (value) =>
        rest(
          isPlain(value)
            ? leaf(column, `${not}${term.op}`, value)
            : // Quotes would be a part of the text, and words and numbers would not be text.
              ofArray(column, `${not}${term.op}(any)`, arrayOf([value]))
        )
      )
    case "like":
      return Effect.map(patternOf(columns, column, term.op, term.pattern), (pattern) =>
        rest(fitting(column, not, term.op, pattern))
      )
    case "set":
      return Effect.map(columns.encodeSet(column, term.value, term.json), (text) =>
        rest(ofArray(column, `${not}${term.op}`, text))
      )
  }
}

const differing = (column: Column, op: string, operand: unknown): Tree =>
  op === "eq" ? leaf(column, "neq", operand) : leaf(column, `not.${op}`, operand)

const patternOf = (
  columns: Columns,
  column: Column,
  op: string,
  pattern: string
): Effect.Effect<string, DecodeError> => {
  if (typeof pattern !== "string") return columns.refuse("filter", column.name, `the pattern of ${op} is no text`)
  // One that escapes nothing is an error to PostgreSQL, when a row comes as far.
  if (/(?<!\\)(?:\\\\)*\\$/.test(pattern)) {
    return columns.refuse("filter", column.name, `the pattern of ${op} ends in a backslash that escapes nothing`)
  }
  return Effect.as(columns.sendable(column, pattern), pattern)
}

/** By a regular expression where a `*` would be read as `%`, or where quotes, not everywhere taken off, would be needed. */
const fitting = (column: Column, not: string, op: "like" | "ilike", pattern: string): Leaf => {
  const regex = `${not}${op === "like" ? "match" : "imatch"}`
  const inTree = /^[\w%]+$/.test(pattern) ? `${not}${op}.${pattern}` : `${regex}.${quoted(regexOfLike(pattern))}`
  return pattern.includes("*")
    ? leaf(column, regex, regexOfLike(pattern), inTree)
    : leaf(column, `${not}${op}`, pattern, inTree)
}

/** What a column has to be. */
export const conditionOf = (columns: Columns, column: Column, condition: unknown, negated = false): Built => {
  if (condition instanceof Comparison) return compared(columns, column, condition.term, negated)
  if (condition === undefined) return columns.refuse("filter", column.name, nothing)
  const values: ReadonlyArray<unknown> = Array.isArray(condition) ? condition : [condition]
  return Effect.map(choiceOf(columns, column, values), (choice) => anyOf(choice, negated))
}

const nothing =
  "it is undefined, which would mean every row: leave the column out where that is meant, and say null for rows without a value"

// -------------------------------------------------------------------------------------
// as it is sent
// -------------------------------------------------------------------------------------

const textOf = (tree: Tree): string =>
  isGroup(tree) ? `${tree.connective}(${tree.trees.map(textOf).join(",")})` : `${named(tree.column)}.${tree.inTree}`

/** Those that stand alone, each a parameter; and what has to be said in parentheses, in one. */
export interface Parts {
  readonly leaves: ReadonlyArray<Leaf>
  readonly trees: string | undefined
}

/** One parameter for a column and an operator: of several with the same, the embedded database heeds the last. */
export const partsOf = (all: ReadonlyArray<Tree>): Parts => {
  const leaves = new Map<string, Leaf>()
  const trees: Array<Tree> = []
  for (const tree of all.flatMap((each) => (isGroup(each) && each.connective === "and" ? each.trees : [each]))) {
    const name = isGroup(tree) ? "" : `${tree.op} ${tree.column}`
    if (isGroup(tree) || leaves.has(name)) trees.push(tree)
    else leaves.set(name, tree)
  }
  return {
    leaves: [...leaves.values()],
    trees: trees.length === 0 ? undefined : `(${trees.map(textOf).join(",")})`
  }
}
