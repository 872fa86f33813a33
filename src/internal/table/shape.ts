/** What there is to know of a table before anything is asked of it: its columns, and how a row of it is decoded. */
import { Effect, ParseResult, Schema } from "effect"
import { withoutSecrets } from "../shared/text.js"
import { type All, columnsOf, type TableSchema, variantOf } from "./column.js"
import { zonelessIn } from "./zoneless.js"

/** What is wrong with a row, and where in it. */
export interface Wrong {
  readonly path: string
  readonly issue: string
}

/** What there is to know of a table's columns and rows. */
export interface Shape {
  readonly all: All
  readonly inserted: All
  readonly changed: All
  /** In the database; undefined for whatever it has. */
  readonly selected: ReadonlyArray<string> | undefined
  readonly decode: (row: unknown) => Effect.Effect<unknown, ParseResult.ParseError | Wrong>
  /** Decoding may wait for somebody: rows are begun together. */
  readonly mayWait?: boolean
}

/** The first of what is wrong, and where. */
export const wordsOf = (error: ParseResult.ParseError): Wrong => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return {
    path: (issue?.path ?? []).map(String).join("."),
    issue: withoutSecrets(issue?.message ?? error.message)
  }
}

const encodedNames = (schema: Schema.Schema.AnyNoContext): ReadonlyArray<string> => {
  const { ast } = Schema.encodedSchema(schema)
  return ast._tag === "TypeLiteral" ? ast.propertySignatures.map(({ name }) => String(name)) : []
}

/** Of a schema whose fields are the columns. */
export const shapeOf = (table: string, schema: TableSchema): Shape => {
  const all = columnsOf(schema)
  const selected = [...all.of({})].map(({ column }) => column)
  const whole = encodedNames(schema)
  if (selected.length !== whole.length || !selected.every((column) => whole.includes(column))) {
    throw new TypeError(
      `Db.table("${table}"): the schema as a whole has other columns than its fields. Transform single fields instead.`
    )
  }
  const decode = Schema.decodeUnknown(schema)
  const zoneless = zonelessIn(schema)
  return {
    all,
    inserted: columnsOf(variantOf(schema, "insert")),
    changed: columnsOf(variantOf(schema, "update")),
    selected,
    decode: (row) => {
      const found = zoneless?.(row)
      return found === undefined ? decode(row) : Effect.fail(found)
    }
  }
}
