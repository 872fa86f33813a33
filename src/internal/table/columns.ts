/** A table as its schema describes it: names of columns, values on their way out, rows on their way in. */
import { Effect, ParseResult, Schema, type SchemaAST } from "effect"
import { DecodeError, QueryError } from "../../Errors.js"
import { invalidRequest } from "../invalidRequest.js"
import { unsendable } from "../jsonable.js"
import * as Reference from "../transaction/reference.js"
import { withoutSecrets } from "../words.js"
import { withoutBounds } from "./unbounded.js"
import { zonelessIn } from "./zoneless.js"

/**
 * A schema whose columns can be told apart: `Schema.Struct` or `Schema.Class`.
 *
 * @since 0.1.0
 * @category models
 */
export type TableSchema = Schema.Schema.AnyNoContext & { readonly fields: Schema.Struct.Fields }

export type Stage = DecodeError["stage"]

export type Values = Readonly<Record<string, unknown>>

/** What can stand in a filter. */
export type Scalar = string | number | boolean | bigint | null

export interface Column {
  /** In the values of the program. */
  readonly name: string
  /** In the database. */
  readonly column: string
  readonly encode: (values: Values) => Effect.Effect<Values, ParseResult.ParseError>
  /** The same without what the schema asks of values beside their type. */
  readonly encodeUnbounded: Column["encode"]
}

export const isValues = (u: unknown): u is Values => typeof u === "object" && u !== null && !Array.isArray(u)

const isScalar = (u: unknown): u is Scalar =>
  u === null || !["object", "function", "symbol", "undefined"].includes(typeof u)

/** What the database counts with: text too, where a number cannot hold it. */
const isNumeric = (u: unknown): boolean =>
  typeof u === "number" || typeof u === "bigint" || (typeof u === "string" && /^[+-]?\d+(\.\d+)?$/.test(u))

/** Words for whoever reads a list: PostgREST's names in double quotes may hold anything. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

/** For `in`, where everything in double quotes is text and nothing else. */
export const listOf = (values: Iterable<Scalar>): string => `(${[...values].map((it) => quoted(String(it))).join(",")})`

/** What could be read as other than itself: `eq.null`, spaces at the ends. */
const ambiguous = (value: Scalar): boolean =>
  typeof value === "string" && (/[\s"\\,()]/.test(value) || value === "null")

/** Operator and value of a filter for what is this and nothing else. */
export const equality = (value: NonNullable<Scalar>): readonly [operator: string, value: unknown] =>
  ambiguous(value) ? ["in", listOf([value])] : ["eq", value]

/** Bare where nobody could take it for syntax: that is how logs show it. */
const named = (column: string): string => (/^[A-Za-z_]\w*$/.test(column) ? column : quoted(column))

const encodedNames = (schema: Schema.Schema.AnyNoContext): ReadonlyArray<string> => {
  const { ast } = Schema.encodedSchema(schema)
  return ast._tag === "TypeLiteral" ? ast.propertySignatures.map(({ name }) => String(name)) : []
}

type Encode = (values: unknown) => Effect.Effect<Values, ParseResult.ParseError>

const encoderOf = (ast: SchemaAST.AST): Encode => Schema.encodeUnknown(Schema.make<Values, Values>(ast))

const columnOf = (name: string, field: Schema.Struct.Field): Column => {
  const alone = Schema.Struct({ [name]: field })
  const { ast } = Schema.encodedSchema(alone)
  const [signature] = ast._tag === "TypeLiteral" ? ast.propertySignatures : []
  let unbounded: Encode | undefined
  return {
    name,
    column: String(signature?.name ?? name),
    encode: encoderOf(alone.ast),
    encodeUnbounded: (values) => {
      unbounded ??= encoderOf(withoutBounds(alone.ast))
      return unbounded(values)
    }
  }
}

/** The first of what is wrong, and where. */
export const wordsOf = (error: ParseResult.ParseError): { readonly path: string; readonly issue: string } => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return {
    path: (issue?.path ?? []).map(String).join("."),
    issue: withoutSecrets(issue?.message ?? error.message)
  }
}

const unlessUnique =
  "The key of a table has to be one column that is unique. Where several columns together are its primary key, read and write with the client: Db.read and Db.write."

export interface ColumnsOptions {
  readonly key: string
  readonly generated: ReadonlyArray<string>
  readonly search: ReadonlyArray<string>
  readonly cast: Readonly<Record<string, string | undefined>>
}

export class Columns {
  readonly table: string
  readonly key: Column
  /** For `select`: every column of the schema and no other. */
  readonly selected: string
  readonly searched: ReadonlyArray<string>
  private readonly all: ReadonlyMap<string, Column>
  private readonly generated: ReadonlySet<string>
  private readonly zoneless: ReturnType<typeof zonelessIn>
  private readonly decode: (u: unknown) => Effect.Effect<unknown, ParseResult.ParseError>

  constructor(table: string, schema: TableSchema, options: ColumnsOptions) {
    this.table = table
    this.all = new Map(Object.entries(schema.fields).map(([name, field]) => [name, columnOf(name, field)]))
    this.generated = new Set(options.generated)
    this.decode = Schema.decodeUnknown(schema)
    this.zoneless = zonelessIn(schema)
    this.key = this.known(options.key, "key")
    for (const name of options.generated) this.known(name, "generated")
    this.searched = options.search.map((name) => this.known(name, "search").column)
    const own = [...this.all.values()].map(({ column }) => column)
    const whole = encodedNames(schema)
    if (own.length !== whole.length || !own.every((column) => whole.includes(column))) {
      throw new TypeError(
        `Db.table("${table}"): the schema as a whole has other columns than its fields. Transform single fields instead.`
      )
    }
    const casts = new Map(Object.entries(options.cast).map(([name, type]) => [this.known(name, "cast").column, type]))
    this.selected = own
      .map((column) => {
        const type = casts.get(column)
        return type === undefined ? named(column) : `${named(column)}::${type}`
      })
      .join(",")
  }

  known(name: string, option: string): Column {
    const column = this.all.get(name)
    if (column !== undefined) return column
    if (Array.isArray(name)) {
      throw new TypeError(
        `Db.table("${this.table}"): ${option} is one column, and [${name.join(", ")}] are several. Name one that is unique; where only several together are, read and write with the client: Db.read and Db.write.`
      )
    }
    throw new TypeError(
      `Db.table("${this.table}"): ${option} names "${name}", which the schema lacks. It has ${[...this.all.keys()].join(", ")}.`
    )
  }

  /** Of a column that a caller names; the compiler has looked, unless there was none. */
  column(name: string): Effect.Effect<Column, DecodeError> {
    const column = this.all.get(name)
    return column === undefined ? this.refuse("filter", name, this.unknown(name)) : Effect.succeed(column)
  }

  private unknown(name: string): string {
    return `the table's schema has no column ${name}; it has ${[...this.all.keys()].join(", ")}`
  }

  refuse(stage: Stage, path: string, issue: string, id = ""): Effect.Effect<never, DecodeError> {
    return Effect.fail(new DecodeError({ table: this.table, id, path, issue, stage }))
  }

  private encodeOne(column: Column, values: Values, stage: Stage, id: string): Effect.Effect<Values, DecodeError> {
    return Effect.matchEffect(column.encode(values), {
      onFailure: (error) => {
        const { issue, path } = wordsOf(error)
        return this.refuse(stage, path === "" ? column.name : path, issue, id)
      },
      onSuccess: (encoded) => {
        const found = unsendable(encoded)
        return found === undefined ? Effect.succeed(encoded) : this.refuse(stage, found.path, found.issue, id)
      }
    })
  }

  /** Columns and values as they are sent; a column that is left out is left to the database. */
  private encodeColumns(
    values: unknown,
    columns: (values: Values) => ReadonlyArray<Column>,
    id: string,
    inTransaction: boolean
  ): Effect.Effect<Values, DecodeError> {
    if (!isValues(values)) return this.refuse("encode", "", "the row is not an object", id)
    const stranger = Object.keys(values).find((name) => !this.all.has(name))
    if (stranger !== undefined) return this.refuse("encode", stranger, this.unknown(stranger), id)
    return Effect.map(
      Effect.forEach(columns(values), (column) => {
        const value = values[column.name]
        const referred = inTransaction ? Reference.textOf(value) : undefined
        if (referred !== undefined) return Effect.succeed({ [column.column]: referred })
        return this.encodeOne(column, value === undefined ? {} : { [column.name]: value }, "encode", id)
      }),
      (parts) => Object.assign({}, ...parts)
    )
  }

  /** In a transaction a value may be a reference to another step's, which no schema knows. */
  encodeInsert(row: unknown, inTransaction = false): Effect.Effect<Values, DecodeError> {
    const columns = (values: Values) =>
      [...this.all.values()].filter(({ name }) => given(values, name) || !this.generated.has(name))
    const id = isValues(row) ? String(row[this.key.name] ?? "") : ""
    return this.encodeColumns(row, columns, id, inTransaction)
  }

  encodeChanges(changes: unknown, id: string, inTransaction = false): Effect.Effect<Values, DecodeError> {
    const columns = (values: Values) => [...this.all.values()].filter(({ name }) => given(values, name))
    return this.encodeColumns(changes, columns, id, inTransaction)
  }

  /** How much a column is to count: as the column's values are, but within none of their bounds. */
  encodeAmount(
    name: string,
    amount: unknown,
    id: string
  ): Effect.Effect<{ readonly column: string; readonly amount: unknown }, DecodeError> {
    const column = this.all.get(name)
    if (column === undefined) return this.refuse("encode", name, this.unknown(name), id)
    const referred = Reference.textOf(amount)
    if (referred !== undefined) return Effect.succeed({ column: column.column, amount: referred })
    const unbounded = { ...column, encode: column.encodeUnbounded }
    return Effect.flatMap(this.encodeOne(unbounded, { [name]: amount }, "encode", id), (encoded) => {
      const value = encoded[column.column]
      return isNumeric(value)
        ? Effect.succeed({ column: column.column, amount: value })
        : this.refuse("encode", name, "only numbers are counted", id)
    })
  }

  /** One value of a column, for a filter. */
  encodeScalar(column: Column, value: unknown, inTransaction = false): Effect.Effect<Scalar, DecodeError> {
    const referred = inTransaction ? Reference.textOf(value) : undefined
    if (referred !== undefined) return Effect.succeed(referred)
    return Effect.flatMap(this.encodeOne(column, { [column.name]: value }, "filter", ""), (encoded) => {
      const scalar = encoded[column.column]
      return isScalar(scalar)
        ? Effect.succeed(scalar)
        : this.refuse("filter", column.name, "an object or list is not compared here; use filter")
    })
  }

  decodeRow(row: unknown, stage: Stage): Effect.Effect<unknown, DecodeError> {
    const found = this.zoneless?.(row)
    if (found !== undefined) return this.refuse(stage, found.path, found.issue, this.idOf(row))
    return Effect.catchAll(this.decode(row), (error) => {
      const { issue, path } = wordsOf(error)
      return this.refuse(stage, path, issue, this.idOf(row))
    })
  }

  private idOf(row: unknown): string {
    return isValues(row) ? withoutSecrets(String(row[this.key.column] ?? "")) : ""
  }

  decodeRows(rows: unknown, stage: Stage): Effect.Effect<ReadonlyArray<unknown>, DecodeError> {
    return Array.isArray(rows)
      ? Effect.forEach(rows, (row: unknown) => this.decodeRow(row, stage))
      : this.refuse(stage, "", "the answer is not a list of rows")
  }

  /** What a key stands for that is none. */
  several(id: string, details: string): QueryError {
    return new QueryError({
      code: "PGRST116",
      reason: `the ${this.key.name} ${id} of ${this.table} is not one row's`,
      details,
      hint: unlessUnique,
      status: 406,
      answeredBy: "PostgREST"
    })
  }

  /** For a search that no column takes part in. */
  get unsearchable(): QueryError {
    return invalidRequest(
      `no column of ${this.table} is searched`,
      `Name them: Db.table("${this.table}", schema, { search: ["…"] }).`
    )
  }
}

const given = (values: Values, name: string): boolean => values[name] !== undefined
