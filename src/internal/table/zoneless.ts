/**
 * Text without an offset where `Schema.Date` stands, which is how a column of type `timestamp` arrives: JavaScript reads
 * it as local time, so that it names another moment on every machine, and an update would move what is stored.
 */
import { SchemaAST as AST, Schema } from "effect"

/** Date and time, and no `Z` or offset behind. A date alone is midnight in UTC, everywhere. */
const withoutOffset = /^[+-]?\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?$/

/** `Schema.Date` is built on it, and an annotation of either keeps it. */
const { ast: schemaDate } = Schema.DateFromString
const dateFromString = AST.isTransformation(schemaDate) ? schemaDate.transformation : undefined

export interface Zoneless {
  readonly path: string
  readonly issue: string
}

const issueOf = (text: string): string =>
  `"${text}" names no offset, and Schema.Date would read it as local time; take Schema.DateTimeUtc where the column is a timestamp (in UTC), or make it timestamptz`

type Below = ReadonlyArray<readonly [name: string, value: unknown]>

/** A part of a schema, and the values that it is for. */
type Part = readonly [ast: AST.AST, of: (value: unknown) => Below]

const same = (value: unknown): Below => [["", value]]

const entries = (value: unknown): Below => (typeof value === "object" && value !== null ? Object.entries(value) : [])

const named =
  (name: PropertyKey) =>
  (value: unknown): Below =>
    entries(value).filter(([key]) => key === String(name))

const partsOf = (ast: AST.AST): ReadonlyArray<Part> => {
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return [[ast.from, same]]
    case "Suspend":
      return [[ast.f(), same]]
    case "Union":
      // Text that is as welcome as it stands is nobody's local time.
      return ast.types.some(AST.isStringKeyword) ? [] : ast.types.map((type) => [type, same])
    case "TupleType":
      return [
        ...ast.elements.map(({ type }, i): Part => [type, named(i)]),
        ...ast.rest.map(({ type }): Part => [type, (value) => entries(value).slice(ast.elements.length)])
      ]
    case "TypeLiteral":
      return [
        ...ast.propertySignatures.map(({ name, type }): Part => [type, named(name)]),
        ...ast.indexSignatures.map(({ type }): Part => [type, entries])
      ]
    default:
      return []
  }
}

const isDate = (ast: AST.AST): boolean => AST.isTransformation(ast) && ast.transformation === dateFromString

const mentions = (ast: AST.AST, seen: Set<AST.AST>): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  return isDate(ast) || partsOf(ast).some(([part]) => mentions(part, seen))
}

const find = (ast: AST.AST, value: unknown, path: string): Zoneless | undefined => {
  if (value === null || value === undefined) return undefined
  if (isDate(ast)) {
    return typeof value === "string" && withoutOffset.test(value) ? { path, issue: issueOf(value) } : undefined
  }
  for (const [part, of] of partsOf(ast)) {
    for (const [name, below] of of(value)) {
      const found = find(part, below, [path, name].filter((each) => each !== "").join("."))
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** Where in a row a date is without its offset. Undefined for a schema that has no dates, so that it costs nothing. */
export const zonelessIn = (schema: Schema.Schema.AnyNoContext): ((row: unknown) => Zoneless | undefined) | undefined =>
  mentions(schema.ast, new Set()) ? (row) => find(schema.ast, row, "") : undefined
