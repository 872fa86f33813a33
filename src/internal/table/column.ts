/** A column as its field of the schema describes it. */
import { type Effect, type ParseResult, Schema, type SchemaAST } from "effect"
import { castOfColumn, hasCast } from "../values/cast.js"
import { withoutBounds } from "./unbounded.js"

/**
 * A schema whose columns can be told apart: `Schema.Struct` or `Schema.Class`.
 *
 * @since 0.1.0
 * @category models
 */
export type TableSchema = Schema.Schema.AnyNoContext & { readonly fields: Schema.Struct.Fields }

export type Values = Readonly<Record<string, unknown>>

export const isValues = (u: unknown): u is Values => typeof u === "object" && u !== null && !Array.isArray(u)

export interface Column {
  /** In the values of the program. */
  readonly name: string
  /** In the database. */
  readonly column: string
  /** Whether the schema has room for NULL in it. */
  readonly nullable: boolean
  /** Whether the schema makes a value where none is given, as the time of an update. */
  readonly made: boolean
  /** What it is to be read as, since JSON would lose a part of it. */
  readonly cast?: string | undefined
  /** There is more of that below, where no cast reaches. */
  readonly hasDigitsBelow?: boolean
  /** Its values are objects, or may be. */
  readonly holdsObjects?: boolean
  readonly encode: (values: Values) => Effect.Effect<Values, ParseResult.ParseError>
  /** The same without what the schema asks of values beside their type. */
  readonly encodeUnbounded: Column["encode"]
}

type Encode = (values: unknown) => Effect.Effect<Values, ParseResult.ParseError>

const encoderOf = (ast: SchemaAST.AST): Encode => Schema.encodeUnknown(Schema.make<Values, Values>(ast))

/** What the schema does not say of the database's side may be NULL. */
const admitsNull = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Literal":
      return ast.literal === null
    case "Union":
      return ast.types.some(admitsNull)
    case "UnknownKeyword":
    case "AnyKeyword":
    case "Declaration":
    case "Suspend":
      return true
    default:
      return false
  }
}

const admitsUndefined = (ast: SchemaAST.AST): boolean =>
  ast._tag === "UndefinedKeyword" || (ast._tag === "Union" && ast.types.some(admitsUndefined))

const isObject = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Declaration":
    case "Suspend":
      return true
    case "Refinement":
      return isObject(ast.from)
    case "Union":
      return ast.types.some(isObject)
    default:
      return false
  }
}

const signatureOf = ({ ast }: Schema.Schema.AnyNoContext): SchemaAST.PropertySignature | undefined =>
  ast._tag === "TypeLiteral" ? ast.propertySignatures[0] : undefined

const columnOf = (name: string, field: Schema.Struct.Field): Column => {
  const alone = Schema.Struct({ [name]: field })
  const signature = signatureOf(Schema.encodedSchema(alone))
  const own = signatureOf(Schema.typeSchema(alone))
  const cast = castOfColumn(alone.ast)
  let unbounded: Encode | undefined
  return {
    name,
    column: String(signature?.name ?? name),
    nullable: signature === undefined || signature.isOptional || admitsNull(signature.type),
    made: own !== undefined && admitsUndefined(own.type) && !own.isOptional && !lacking(signature),
    cast,
    hasDigitsBelow: cast === undefined && hasCast(alone.ast),
    holdsObjects: own !== undefined && isObject(own.type),
    encode: encoderOf(alone.ast),
    encodeUnbounded: (values) => {
      unbounded ??= encoderOf(withoutBounds(alone.ast))
      return unbounded(values)
    }
  }
}

const lacking = (signature: SchemaAST.PropertySignature | undefined): boolean =>
  signature === undefined || signature.isOptional || admitsUndefined(signature.type)

/** The columns of a table by their names. */
export interface All {
  readonly get: (name: string) => Column | undefined
  readonly has: (name: string) => boolean
  readonly keys: () => Iterable<string>
  /** Those that values of these may have. */
  readonly of: (values: Values) => Iterable<Column>
}

class FieldColumns implements All {
  private readonly columns: ReadonlyMap<string, Column>

  constructor(columns: ReadonlyMap<string, Column>) {
    this.columns = columns
  }

  get(name: string): Column | undefined {
    return this.columns.get(name)
  }

  has(name: string): boolean {
    return this.columns.has(name)
  }

  keys(): Iterable<string> {
    return this.columns.keys()
  }

  of(): Iterable<Column> {
    return this.columns.values()
  }
}

export const columnsOf = ({ fields }: TableSchema): All =>
  new FieldColumns(new Map(Object.entries(fields).map(([name, field]) => [name, columnOf(name, field)])))

const isTableSchema = (u: unknown): u is TableSchema => Schema.isSchema(u) && "fields" in u && isValues(u.fields)

/** What is inserted, or changed, of a schema with variants (`Model.Class` of `@effect/sql`); of any other, itself. */
export const variantOf = (schema: TableSchema, name: "insert" | "update"): TableSchema => {
  const variant: unknown = Reflect.get(schema, name)
  return isTableSchema(variant) ? variant : schema
}

export const unknown = (all: All, name: string): string =>
  `the table's schema has no column ${name}; it has ${[...all.keys()].join(", ")}`
