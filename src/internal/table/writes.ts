/** The writing half of a table, where the type of the rows is not known. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Either, Option } from "effect"
import { type DbError, RowNotFound } from "../../Errors.js"
import { listIn } from "../db/list.js"
import type { PostgrestResult } from "../db/postgrestResult.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { inTurns, partsOf } from "../shared/nextTurn.js"
import { type Columns, isValues, type Values } from "./columns.js"
import { type Chosen, chosen, type Narrow } from "./query.js"
import * as Requests from "./requests.js"
import type { Rows } from "./rows.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface UpdateOptions {
  /** As in `Db.write`. */
  readonly idempotent?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CreateManyOptions {
  /**
   * Rows in one request. Without it all are one request: all or none. With it each piece is all or none, and several are under way at a time;
   * if one fails, no other is begun, and the error says which rows were written.
   */
  readonly pieceSize?: number | undefined
}

interface AnyUpsertOptions extends UpdateOptions {
  readonly onConflict?: string | ReadonlyArray<string> | undefined
}

type Written<A, R> = Effect.Effect<A, DbError, R>

/** The embedded database gives a list where columns are cast, although one row was asked for. */
const only = (row: unknown, table: string): Effect.Effect<unknown, RowNotFound> => {
  if (!Array.isArray(row)) return Effect.succeed(row)
  if (row.length === 0) return Effect.fail(new RowNotFound({ table, details: "" }))
  return Effect.succeed(row.length === 1 ? row[0] : row)
}

/** As many as each pool keeps open by default. */
const piecesAtOnce = 5

/** From 0, as in the list that was given. */
const placeOf = (nth: number, size: number, all: number): string =>
  `${nth * size} to ${Math.min((nth + 1) * size, all) - 1}`

export class Writes<R> {
  private readonly rows: Rows<R>
  private readonly columns: Columns

  constructor(rows: Rows<R>) {
    this.rows = rows
    this.columns = rows.columns
  }

  private one(
    query: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
    options?: UpdateOptions
  ): Written<unknown, R> {
    return Effect.flatMap(
      Effect.flatMap(this.rows.source.writing, (db) => db.write(query, { ...options, exact: this.columns.exact })),
      (row) => Effect.flatMap(only(row, this.columns.table), (one) => this.columns.decodeRow(one, "write"))
    )
  }

  create(row: unknown): Written<unknown, R> {
    return Effect.flatMap(this.columns.encodeInsert(row), (values) => this.one(Requests.inserted(this.columns, values)))
  }

  createMany(rows: ReadonlyArray<unknown>, { pieceSize }: CreateManyOptions = {}): Written<ReadonlyArray<unknown>, R> {
    if (pieceSize !== undefined && !(Number.isSafeInteger(pieceSize) && pieceSize > 0)) {
      return Effect.fail(invalidRequest(`pieceSize is ${pieceSize}`, "Give a whole number from 1."))
    }
    return Effect.gen(this, function* () {
      // All of them before any is sent: a row that cannot be sent leaves nothing half done.
      const values = yield* inTurns(rows, (part) => Effect.forEach(part, (row) => this.columns.encodeInsert(row)))
      if (values.length === 0) return []
      const written =
        pieceSize === undefined || values.length <= pieceSize
          ? yield* this.insertAll(values)
          : yield* this.insertPieces(values, pieceSize)
      return yield* this.columns.decodeRows(written, "write")
    })
  }

  /** Interrupting what is under way would leave nobody knowing of it, so what has begun is ended. */
  private insertPieces(rows: ReadonlyArray<Values>, size: number): Written<ReadonlyArray<unknown>, R> {
    let failed = false
    const piece = (part: ReadonlyArray<Values>): Written<Option.Option<ReadonlyArray<unknown>>, R> =>
      failed
        ? Effect.succeedNone
        : Effect.tapError(Effect.asSome(this.insertAll(part)), () =>
            Effect.sync(() => {
              failed = true
            })
          )
    return Effect.flatMap(
      Effect.forEach(partsOf(rows, size), (part) => Effect.either(piece(part)), { concurrency: piecesAtOnce }),
      (ends) => {
        const error = ends.find(Either.isLeft)?.left
        const written = ends.map((end) => Option.flatten(Either.getRight(end)))
        if (error === undefined) return Effect.succeed(written.flatMap(Option.getOrElse(() => [])))
        const places = ends.flatMap((end, nth) =>
          Either.isRight(end) && Option.isSome(end.right) ? [placeOf(nth, size, rows.length)] : []
        )
        if (places.length === 0) return Effect.fail(error)
        const place = placeOf(ends.findIndex(Either.isLeft), size, rows.length)
        return this.columns.refuse(
          "write",
          "",
          `rows ${place} failed (${error.message}); written are rows ${places.join(", ")}`
        )
      }
    )
  }

  /** Of each row that was sent there is one, or nobody could tell which is which. */
  private oneEach(sent: number, given: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<unknown>, DbError> {
    return given.length === sent
      ? Effect.succeed(given)
      : this.columns.refuse(
          "write",
          "",
          `${sent} rows were sent and ${given.length} came back (a trigger may leave some out, a policy hide them)`
        )
  }

  /** PostgREST takes a column that some rows leave out for null in those, so each set of columns is an insert of its own. */
  private insertAll(rows: ReadonlyArray<Values>): Written<ReadonlyArray<unknown>, R> {
    const { selected, table } = this.columns
    const inserting = (some: ReadonlyArray<Values>) => (client: SupabaseClient) =>
      client
        .from(table)
        .insert([...some])
        .select(selected)
    const sets = new Map<string, Array<{ readonly at: number; readonly row: Values }>>()
    for (const [at, row] of rows.entries()) {
      const name = Object.keys(row).sort().join("\n")
      const set = sets.get(name) ?? []
      set.push({ at, row })
      sets.set(name, set)
    }
    if (sets.size === 1) {
      return Effect.flatMap(this.written(inserting(rows)), (given) => this.oneEach(rows.length, given))
    }
    const groups = [...sets.values()]
    const steps = groups.map((group) => inserting(group.map(({ row }) => row)))
    return Effect.gen(this, function* () {
      const given = yield* this.transacted(steps)
      for (const [n, group] of groups.entries()) yield* this.oneEach(group.length, given[n] ?? [])
      const inOrder = new Map(groups.flatMap((group, n) => group.map(({ at }, nth) => [at, given[n]?.[nth]] as const)))
      return rows.map((_, at) => inOrder.get(at))
    })
  }

  /** The rows that a write gives back. PostgREST cuts none of these (since 10), whatever its max rows are. */
  private written(
    query: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
    options?: UpdateOptions
  ): Written<ReadonlyArray<unknown>, R> {
    return Effect.flatMap(
      Effect.flatMap(this.rows.source.writing, (db) =>
        db.placed(query, { ...options, pool: "write", exact: this.columns.exact })
      ),
      (answer) => listIn(answer, answer.data)
    )
  }

  /** Of each step. */
  private transacted(
    steps: ReadonlyArray<(client: SupabaseClient) => PromiseLike<PostgrestResult>>
  ): Written<ReadonlyArray<ReadonlyArray<unknown>>, R> {
    const asked = { from: this.columns.table, method: "POST", status: 200 }
    return Effect.flatMap(
      Effect.flatMap(this.rows.source.writing, (db) => db.transaction(steps, { exact: this.columns.exact })),
      (results) => Effect.forEach(results, (rows) => listIn(asked, rows))
    )
  }

  update(id: unknown, changes: unknown, options?: UpdateOptions): Written<unknown, R> {
    return this.byKey(id, (scalar) =>
      Effect.flatMap(this.columns.encodeChanges(changes, String(id)), (values) =>
        this.one(Requests.changed(this.columns, scalar, values), options)
      )
    )
  }

  upsert(row: unknown, options: AnyUpsertOptions = {}): Written<unknown, R> {
    return Effect.gen(this, function* () {
      const values = yield* this.columns.encodeInsert(row)
      const conflict = yield* Requests.conflictOf(this.columns, options.onConflict)
      // A row without what decides whether it is there would be another row each time.
      const idempotent = options.idempotent ?? conflict.every((column) => column in values)
      return yield* this.one(Requests.upserted(this.columns, values, conflict), { idempotent })
    })
  }

  remove(id: unknown): Written<unknown, R> {
    return this.byKey(id, (scalar) => this.one(Requests.removed(this.columns, scalar)))
  }

  updateMany(where: unknown, changes: unknown, options?: UpdateOptions): Written<ReadonlyArray<unknown>, R> {
    const { selected, table } = this.columns
    return Effect.gen(this, function* () {
      const rows = yield* this.aimed(where)
      const values = yield* this.columns.encodeChanges(changes, "")
      if (Object.keys(values).length === 0) {
        return yield* this.unchanged(rows)
      }
      // What changes the column that parts are told apart by could be found again by the next of them.
      const canBeParted = rows.by === this.columns.key && !(rows.by.column in values)
      return yield* this.all(
        rows,
        canBeParted,
        (part) => (client) => part(client.from(table).update(values).select(selected)),
        options
      )
    })
  }

  removeMany(where: unknown): Written<ReadonlyArray<unknown>, R> {
    const { key, selected, table } = this.columns
    return Effect.flatMap(this.aimed(where), (rows) =>
      this.all(rows, rows.by === key, (part) => (client) => part(client.from(table).delete().select(selected)))
    )
  }

  /** Who writes says which rows: no columns would be every row. */
  private aimed(where: unknown): Effect.Effect<Chosen, DbError> {
    return Effect.flatMap(chosen(this.columns, { where }), (rows) =>
      isValues(where) && Object.keys(where).length > 0
        ? Effect.succeed(rows)
        : this.columns.refuse(
            "filter",
            "where",
            "it names no column, which would mean every row; for that use Db.write"
          )
    )
  }

  /** Nothing is written: they are read, as a list is, and with the rights of who writes. */
  private unchanged(rows: Chosen): Written<ReadonlyArray<unknown>, R> {
    return Effect.flatMap(this.rows.source.writing, (db) =>
      Effect.flatMap(this.rows.parts({ db, via: { pool: "write" } }, rows, {}), (found) =>
        this.columns.decodeRows(found, "read")
      )
    )
  }

  /** All of them or none: what is too long for an address is sent as a transaction, whose body has room. */
  private all(
    rows: Chosen,
    canBeParted: boolean,
    query: (part: Narrow) => (client: SupabaseClient) => PromiseLike<PostgrestResult>,
    options?: UpdateOptions
  ): Written<ReadonlyArray<unknown>, R> {
    // A step gives back 1000 rows at most, and a part has fewer keys.
    const steps = (canBeParted ? rows.parts : [rows.whole]).map(query)
    const given =
      rows.parts.length < 2
        ? this.written(query(rows.whole), options)
        : Effect.map(this.transacted(steps), (results) => results.flat())
    return Effect.flatMap(given, (found) => this.columns.decodeRows(found, "write"))
  }

  /** PostgREST counts rows; who asked by key is told which. */
  private byKey(
    id: unknown,
    f: (scalar: string | number | boolean | bigint) => Written<unknown, R>
  ): Written<unknown, R> {
    const { table } = this.columns
    return Effect.flatMap(this.rows.keyed(id), (scalar) =>
      Effect.mapError(f(scalar), (error) => {
        const id = String(scalar)
        if (error._tag === "RowNotFound") {
          return new RowNotFound({ table, details: "", executed: error.executed, id })
        }
        return error._tag === "QueryError" && error.code === "PGRST116"
          ? this.columns.several(id, error.details)
          : error
      })
    )
  }
}
