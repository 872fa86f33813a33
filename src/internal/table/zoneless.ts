/**
 * Text without an offset where `Schema.Date` stands, which is how a column of type `timestamp` arrives: JavaScript reads
 * it as local time, so that it names another moment on every machine, and an update would move what is stored.
 */
import { SchemaAST as AST, Schema } from "effect"

/** Date and time, and no `Z` or offset behind. A date alone is midnight in UTC, everywhere. */
const withoutOffset = /^[+-]?\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?$/

/** `Schema.Date` is built on it, and an annotation of either keeps it. */
const dateFromString = (): AST.TransformationKind | undefined => {
  const { ast } = Schema.DateFromString
  return AST.isTransformation(ast) ? ast.transformation : undefined
}

export interface Zoneless {
  readonly path: string
  readonly issue: string
}

const issueOf = (text: string): string =>
  `"${text}" names no offset, and Schema.Date would read it as local time; take Values.Timestamp where the column is a timestamp in UTC, Values.LocalDateTime where it is a local time, or make it timestamptz`

type Look = (value: unknown, path: ReadonlyArray<PropertyKey>) => Zoneless | undefined

/** Undefined where no date is below, so that what has none costs nothing. */
type Looked = Look | undefined

const date: Look = (value, path) =>
  typeof value === "string" && withoutOffset.test(value)
    ? { path: path.map(String).join("."), issue: issueOf(value) }
    : undefined

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const each = (looks: ReadonlyArray<Looked>): Looked => {
  const some = looks.filter((look) => look !== undefined)
  if (some.length === 0) return undefined
  return (value, path) => {
    for (const look of some) {
      const found = look(value, path)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** At one name of an object, or one place of a list. */
const at = (name: PropertyKey, look: Looked): Looked =>
  look && ((value, path) => (isObject(value) ? look(Reflect.get(value, name), [...path, name]) : undefined))

/** At all of them, from a place on. */
const all = (look: Looked, from = 0): Looked =>
  look &&
  ((value, path) => {
    const entries = isObject(value) ? Object.entries(value).slice(from) : []
    for (const [name, below] of entries) {
      const found = look(below, [...path, name])
      if (found !== undefined) return found
    }
    return undefined
  })

const isDate = (ast: AST.AST): boolean => AST.isTransformation(ast) && ast.transformation === dateFromString()

const lookOf = (ast: AST.AST): Looked => {
  if (isDate(ast)) return date
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return lookOf(ast.from)
    case "Suspend":
      return suspended(ast)
    case "Union":
      // Text that is as welcome as it stands is nobody's local time.
      return ast.types.some(AST.isStringKeyword) ? undefined : each(ast.types.map((type) => lookOf(type)))
    case "TupleType":
      return each([
        ...ast.elements.map(({ type }, nth) => at(nth, lookOf(type))),
        ...ast.rest.map(({ type }) => all(lookOf(type), ast.elements.length))
      ])
    case "TypeLiteral":
      return each([
        ...ast.propertySignatures.map(({ name, type }) => at(name, lookOf(type))),
        ...ast.indexSignatures.map(({ type }) => all(lookOf(type)))
      ])
    default:
      return undefined
  }
}

/** A tree has itself in it, so what is below is looked at when a value is there, and once. */
const suspended = (ast: AST.Suspend): Look => {
  const known = trees.get(ast)
  if (known !== undefined) return known
  let within: { readonly look: Looked } | undefined
  const look: Look = (value, path) => {
    if (value === null || value === undefined) return undefined
    within ??= { look: lookOf(ast.f()) }
    return within.look?.(value, path)
  }
  trees.set(ast, look)
  return look
}

const trees: WeakMap<AST.Suspend, Look> = new WeakMap()

/** Where in a row a date is without its offset. Undefined for a schema that has no dates, so that it costs nothing. */
export const zonelessIn = ({
  ast
}: Schema.Schema.AnyNoContext): ((row: unknown) => Zoneless | undefined) | undefined => {
  const look = lookOf(ast)
  return look && ((row) => look(row, []))
}
