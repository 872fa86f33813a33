/** A table as its schema describes it: names of columns, values on their way out, rows on their way in. */
import { Effect, Either, ParseResult } from "effect"
import { DecodeError, QueryError } from "../../Errors.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { unsendable } from "../shared/jsonable.js"
import { inTurns } from "../shared/nextTurn.js"
import { withoutSecrets } from "../shared/text.js"
import * as Reference from "../transaction/reference.js"
import { rememberText, withMicros } from "../values/moments.js"
import { type All, type Column, isValues, type TableSchema, unknown, type Values } from "./column.js"
import { arrayOf, named, type Scalar } from "./literal.js"
import { type Shape, shapeOf, wordsOf } from "./shape.js"

export { type Column, isValues, type TableSchema, type Values } from "./column.js"

export type Stage = DecodeError["stage"]

const isScalar = (u: unknown): u is Scalar =>
  u === null || !["object", "function", "symbol", "undefined"].includes(typeof u)

/** What the database counts with: text too, where a number cannot hold it. */
const isNumeric = (u: unknown): boolean =>
  typeof u === "number" || typeof u === "bigint" || (typeof u === "string" && /^[+-]?\d+(\.\d+)?$/.test(u))

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
  /** The same for lists, where a column that is cast has another name: the embedded database would sort by the cast. */
  readonly listed: string
  /** What the columns are called by themselves that have another name in lists. */
  private readonly ownNames: ReadonlyMap<string, string>
  readonly searched: ReadonlyArray<string>
  /** Numbers below its columns are to have all their digits. */
  readonly exact: boolean
  /** Columns whose values may be times, which have microseconds in the database. */
  private readonly times: ReadonlyArray<Column>
  private readonly all: All
  private readonly inserted: All
  private readonly changed: All
  private readonly generated: ReadonlySet<string>
  private readonly decode: Shape["decode"]
  private readonly mayWait: boolean

  constructor(table: string, schema: TableSchema | Shape, options: ColumnsOptions) {
    const shape = "fields" in schema ? shapeOf(table, schema) : schema
    this.table = table
    this.all = shape.all
    this.inserted = shape.inserted
    this.changed = shape.changed
    this.decode = shape.decode
    this.mayWait = shape.mayWait === true
    this.generated = new Set(options.generated)
    this.key = this.known(options.key, "key")
    for (const name of options.generated) this.known(name, "generated")
    this.searched = options.search.map((name) => this.known(name, "search").column)
    const own = shape.selected ?? []
    const described = own.length === 0 ? [] : [...shape.all.of({})]
    this.exact = described.some(({ hasDigitsBelow }) => hasDigitsBelow === true)
    const casts = new Map(
      described.flatMap(
        ({ cast, column }): ReadonlyArray<readonly [string, string]> => (cast === undefined ? [] : [[column, cast]])
      )
    )
    for (const [name, type] of Object.entries(options.cast)) {
      if (type !== undefined) casts.set(this.known(name, "cast").column, type)
    }
    this.times = described.filter(({ holdsObjects }) => holdsObjects === true)
    const cast = (column: string): string => {
      const type = casts.get(column)
      return type === undefined ? named(column) : `${named(column)}::${type}`
    }
    const aliases = new Map([...casts.keys()].map((column, n) => [column, aliasOf(n, own)]))
    this.ownNames = new Map([...aliases].map(([column, alias]) => [alias, column]))
    this.selected = shape.selected === undefined ? "*" : own.map(cast).join(",")
    this.listed =
      shape.selected === undefined
        ? "*"
        : own
            .map((column) => {
              const alias = aliases.get(column)
              return alias === undefined ? cast(column) : `${alias}:${cast(column)}`
            })
            .join(",")
  }

  /** A row of a list under the names that it has by itself. */
  renamed(row: unknown): unknown {
    if (this.ownNames.size === 0 || !isValues(row)) return row
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [this.ownNames.get(name) ?? name, value]))
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
    return column === undefined ? this.refuse("filter", name, unknown(this.all, name)) : Effect.succeed(column)
  }

  refuse(stage: Stage, path: string, issue: string, id = ""): Either.Either<never, DecodeError> {
    return Either.left(new DecodeError({ table: this.table, id, path, issue, stage }))
  }

  private encodeOne(column: Column, values: Values, stage: Stage, id: string): Effect.Effect<Values, DecodeError> {
    const onFailure = (error: ParseResult.ParseError): Either.Either<never, DecodeError> => {
      const { issue, path } = wordsOf(error)
      return this.refuse(stage, path === "" ? column.name : path, issue, id)
    }
    const onSuccess = (came: Values): Either.Either<Values, DecodeError> => {
      const encoded = column.holdsObjects === true ? timed(column, values, came) : came
      const found = unsendable(encoded)
      return found === undefined ? Either.right(encoded) : this.refuse(stage, found.path, found.issue, id)
    }
    const came = column.encode(values)
    // What waits for nothing, as nearly all do, takes no step of a fiber: lists have hundreds of thousands.
    if (!isDone(came)) return Effect.matchEffect(came, { onFailure, onSuccess })
    return Either.isLeft(came) ? onFailure(came.left) : onSuccess(came.right)
  }

  /** Columns and values as they are sent; a column that is left out is left to the database. */
  private encodeColumns(
    all: All,
    values: unknown,
    isSent: (column: Column) => boolean,
    id: string,
    inTransaction: boolean
  ): Effect.Effect<Values, DecodeError> {
    if (!isValues(values)) return this.refuse("encode", "", "the row is not an object", id)
    const stranger = Object.keys(values).find((name) => !all.has(name))
    if (stranger !== undefined) return this.refuse("encode", stranger, unknown(all, stranger), id)
    const sent = [...all.of(values)].filter((column) => given(values, column.name) || isSent(column))
    return Effect.suspend(() =>
      joined(
        sent.map((column) => {
          const { made, name } = column
          const value = values[name]
          const referred = inTransaction ? Reference.textOf(value) : undefined
          if (referred !== undefined) return Either.right({ [column.column]: referred })
          return this.encodeOne(column, value === undefined && !made ? {} : { [name]: value }, "encode", id)
        })
      )
    )
  }

  /** In a transaction a value may be a reference to another step's, which no schema knows. */
  encodeInsert(row: unknown, inTransaction = false): Effect.Effect<Values, DecodeError> {
    const isSent = ({ made, name, nullable }: Column) => made || !(this.generated.has(name) || nullable)
    const id = isValues(row) ? String(row[this.key.name] ?? "") : ""
    return this.encodeColumns(this.inserted, row, isSent, id, inTransaction)
  }

  /** What the schema makes by itself is no change; `isChange` where something is, that is not among these. */
  encodeChanges(
    changes: unknown,
    id: string,
    inTransaction = false,
    isChange = isValues(changes) && Object.values(changes).some((value) => value !== undefined)
  ): Effect.Effect<Values, DecodeError> {
    return this.encodeColumns(this.changed, changes, ({ made }) => isChange && made, id, inTransaction)
  }

  /** How much a column is to count: as the column's values are, but within none of their bounds. */
  encodeAmount(
    name: string,
    amount: unknown,
    id: string
  ): Effect.Effect<{ readonly column: string; readonly amount: unknown }, DecodeError> {
    const column = this.all.get(name)
    if (column === undefined) return this.refuse("encode", name, unknown(this.all, name), id)
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

  private encodeValue(column: Column, value: unknown): Effect.Effect<unknown, DecodeError> {
    if (value === undefined) return this.refuse("filter", column.name, "expected a value, actual undefined")
    // An optional column that holds nothing has no place in the row at all.
    return Effect.map(
      this.encodeOne(column, { [column.name]: value }, "filter", ""),
      (encoded) => encoded[column.column] ?? null
    )
  }

  /** One value of a column, for a filter. */
  encodeScalar(column: Column, value: unknown, inTransaction = false): Effect.Effect<Scalar, DecodeError> {
    const referred = inTransaction ? Reference.textOf(value) : undefined
    if (referred !== undefined) return Effect.succeed(referred)
    return Effect.flatMap(this.encodeValue(column, value), (scalar) =>
      isScalar(scalar)
        ? Effect.succeed(scalar)
        : this.refuse("filter", column.name, "an object or list is compared by contains, containedBy and overlaps only")
    )
  }

  /** What a column has to contain, or to be within: PostgreSQL's text of a list or of a range, or JSON. */
  encodeSet(column: Column, value: unknown, json: boolean): Effect.Effect<string, DecodeError> {
    return Effect.flatMap(this.encodeValue(column, value), (encoded) => {
      if (isRange(value, encoded)) return Effect.succeed(encoded)
      if (isScalar(encoded)) {
        return this.refuse("filter", column.name, "expected a list, a range or an object of the column's")
      }
      const isArray = !json && Array.isArray(encoded) && encoded.every(isScalar)
      return Effect.succeed(isArray ? arrayOf(encoded) : JSON.stringify(encoded))
    })
  }

  /** Of a text that no schema encodes. */
  sendable(column: Column, text: string): Effect.Effect<void, DecodeError> {
    const found = unsendable(text)
    return found === undefined ? Effect.void : this.refuse("filter", column.name, found.issue)
  }

  decodeRow(row: unknown, stage: Stage): Effect.Effect<unknown, DecodeError> {
    return Effect.matchEffect(this.decode(row), {
      onFailure: (error) => {
        const { issue, path } = ParseResult.isParseError(error) ? wordsOf(error) : error
        return this.refuse(stage, path, issue, this.idOf(row))
      },
      onSuccess: (decoded) => {
        if (this.times.length > 0) this.remember(row, decoded)
        return Effect.succeed(decoded)
      }
    })
  }

  /** The times of a row are the moments that are stored, to the microsecond. */
  private remember(row: unknown, decoded: unknown): void {
    if (!isValues(row) || !isValues(decoded)) return
    for (const { column, name } of this.times) rememberText(decoded[name], row[column])
  }

  private idOf(row: unknown): string {
    return isValues(row) ? withoutSecrets(String(row[this.key.column] ?? "")) : ""
  }

  decodeRows(rows: unknown, stage: Stage): Effect.Effect<ReadonlyArray<unknown>, DecodeError> {
    return Array.isArray(rows)
      ? this.decodeAll(rows, stage)
      : this.refuse(stage, "", "the answer is not a list of rows")
  }

  /** Many in parts, so that nobody waits long. */
  decodeAll(rows: ReadonlyArray<unknown>, stage: Stage): Effect.Effect<ReadonlyArray<unknown>, DecodeError> {
    const decoded = (row: unknown) => this.decodeRow(row, stage)
    return inTurns(rows, (some) => (this.mayWait ? Effect.all(some.map(decoded)) : Effect.forEach(some, decoded)))
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

/** What `Values.Range` encodes is a text that begins with a bound; no other object is one. */
const isRange = (value: unknown, encoded: unknown): encoded is string =>
  isValues(value) && typeof encoded === "string" && /^[[(]/.test(encoded)

/** What waits for nothing is there already. */
const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Either<A, E> => Either.isEither(effect)

/** One of all of them. */
const joined = (parts: ReadonlyArray<Effect.Effect<Values, DecodeError>>): Effect.Effect<Values, DecodeError> => {
  const all: Record<string, unknown> = {}
  for (const part of parts) {
    if (!isDone(part)) return Effect.map(Effect.all(parts), (values) => Object.assign({}, ...values))
    if (Either.isLeft(part)) return part
    Object.assign(all, part.right)
  }
  return Effect.succeed(all)
}

/** A name that no column has. */
const aliasOf = (n: number, columns: ReadonlyArray<string>): string => {
  const names = [`cast_${n}`, ...columns.map((_, nth) => `cast_${n}_${nth}`)]
  return names.find((name) => !columns.includes(name)) ?? ""
}

/** What the schema encoded, with the microseconds that the value came with. */
const timed = ({ column, name }: Column, values: Values, encoded: Values): Values => {
  const whole = withMicros(values[name], encoded[column])
  return whole === encoded[column] ? encoded : { ...encoded, [column]: whole }
}

const given = (values: Values, name: string): boolean => values[name] !== undefined
