/** The reading half of a table, where the type of the rows is not known. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Chunk, Clock, Effect, FiberRef, Option, Stream } from "effect"
import type { DbError, RowNotFound } from "../../Errors.js"
import { currentKey } from "../../RateLimit.js"
import type { Response } from "../answer.js"
import { keeping } from "../asyncContext.js"
import type * as Database from "../database.js"
import { asMaker, tokenFor } from "../identity.js"
import { ofTable } from "../spans.js"
import { streamOf } from "../stream.js"
import { type Columns, isValues } from "./columns.js"
import type { Scalar } from "./literal.js"
import { Get, type Identity, Loader, resolver } from "./loader.js"
import { mostRowsOf } from "./mostRows.js"
import {
  type AnyOptions,
  type AnyStreamOptions,
  type Chosen,
  chosen,
  filtered,
  isSumOfParts,
  listed,
  type Narrow,
  type Page,
  type Refine,
  type TableQuery,
  unlimited
} from "./query.js"

/** One per database, since batches are. */
type Loaders = WeakMap<Database.ReadCore, Loader>

/** The database and the eyes that this fiber reads it with. */
interface Reading {
  readonly loader: Loader
  readonly identity: Identity
  readonly db: Database.ReadCore
}

/** What a table reads; `R` is what its database needs. */
export class Rows<R> {
  readonly columns: Columns
  readonly source: Database.Source<R>
  private readonly as: "service" | undefined
  private readonly loaders: Loaders = new WeakMap()

  constructor(columns: Columns, as: "service" | undefined, source: Database.Source<R>) {
    this.columns = columns
    this.as = as
    this.source = source
  }

  private loaderOf(db: Database.ReadCore): Loader {
    const known = this.loaders.get(db)
    if (known !== undefined) return known
    const loader = new Loader(this.columns, (query, as) => readAs(db, query, as))
    this.loaders.set(db, loader)
    return loader
  }

  /** A user's token stands above what the table says: who has one sees what that user sees. */
  get reading(): Effect.Effect<Reading, never, R> {
    const { reading, writing } = this.source
    const source: Effect.Effect<Database.ReadCore, never, R> = this.as === "service" ? writing : reading
    return Effect.gen(this, function* () {
      const db = yield* source
      const token = yield* tokenFor(db)
      const caller = yield* FiberRef.get(currentKey)
      return {
        db,
        loader: this.loaderOf(db),
        identity: { caller, token, as: Option.isSome(token) ? undefined : this.as }
      }
    })
  }

  get(id: unknown): Effect.Effect<unknown, DbError, R> {
    return Effect.flatMap(this.keyed(id), (scalar) =>
      Effect.flatMap(this.reading, ({ identity, loader }) =>
        this.decoded(keeping(Effect.request(new Get({ ...identity, loader, id: scalar }), resolver)))
      )
    )
  }

  find(id: unknown): Effect.Effect<Option.Option<unknown>, DbError, R> {
    return unlessMissing(this.get(id))
  }

  getMany(ids: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<unknown>, DbError, R> {
    return Effect.gen(this, function* () {
      const scalars = yield* Effect.forEach(ids, (id) => this.keyed(id))
      const { identity, loader } = yield* this.reading
      const found = yield* keeping(loader.load(identity, scalars))
      const rows = yield* Effect.forEach(scalars, (id) => {
        const row = found.get(String(id))
        return row === undefined ? Effect.succeedNone : unlessMissing(this.decoded(row))
      })
      return rows.flatMap(Option.toArray)
    })
  }

  /** By who asked, and not by the batch: what the schema does is the caller's code. */
  private decoded(row: Effect.Effect<unknown, DbError>): Effect.Effect<unknown, DbError> {
    return Effect.flatMap(row, (found) => this.columns.decodeRow(found, "read"))
  }

  /** The key as it is sent. */
  keyed(id: unknown, inTransaction = false): Effect.Effect<NonNullable<Scalar>, DbError> {
    const { columns } = this
    return Effect.flatMap(columns.encodeScalar(columns.key, id, inTransaction), (scalar) =>
      scalar === null ? columns.refuse("filter", columns.key.name, "a key is not null") : Effect.succeed(scalar)
    )
  }

  list(options: AnyOptions): Effect.Effect<ReadonlyArray<unknown>, DbError, R> {
    const { columns } = this
    return Effect.gen(this, function* () {
      const reading = yield* this.reading
      const rows = yield* chosen(columns, options)
      const found = isSumOfParts(columns, rows, options)
        ? yield* this.parts(reading, rows, options)
        : yield* this.pages(reading, rows.whole, options)
      return yield* columns.decodeRows(found, "read")
    })
  }

  /** Whoever made it is who asks for each page. */
  stream(options: AnyStreamOptions): Stream.Stream<unknown, DbError, R> {
    const { columns } = this
    const asUser = asMaker()
    const pages = Effect.gen(this, function* () {
      const { identity } = yield* this.reading
      const rows = yield* chosen(columns, options)
      const parts = isSumOfParts(columns, rows, options) ? rows.parts : [rows.whole]
      const queries = yield* Effect.forEach(parts, (part) => listed(columns, part, options))
      return Stream.concatAll(Chunk.fromIterable(queries.map((refine) => this.streamed(refine, options, identity.as))))
    })
    return Stream.unwrap(asUser(pages))
  }

  private streamed(
    refine: Refine,
    { pageSize }: AnyStreamOptions,
    as: Identity["as"]
  ): Stream.Stream<unknown, DbError, R> {
    const { columns } = this
    const query = (client: SupabaseClient): TableQuery => refine(client.from(columns.table).select(columns.listed))
    const rows = streamOf(this.source, query, as === undefined ? { pageSize } : { pageSize, as }, (page) =>
      ofTable("SELECT", columns.table, page)
    )
    return Stream.mapChunksEffect(rows, (page) =>
      Effect.map(
        Effect.forEach(page, (row) => columns.decodeRow(columns.renamed(row), "read")),
        Chunk.unsafeFromArray
      )
    )
  }

  page(options: AnyOptions): Effect.Effect<Page<unknown>, DbError, R> {
    return Effect.all({ rows: this.list(options), total: this.count(options) }, { concurrency: 2 })
  }

  private pages(reading: Reading, rows: Narrow, options: AnyOptions): Effect.Effect<unknown, DbError> {
    const { columns } = this
    return Effect.map(
      Effect.flatMap(this.requested(reading, rows, options), (first) => this.completed(reading, rows, options, first)),
      (found) => (Array.isArray(found) ? found.map((row) => columns.renamed(row)) : found)
    )
  }

  /** Each to its end; a row that changed sides meanwhile is there once. */
  private parts(reading: Reading, { parts }: Chosen, options: AnyOptions): Effect.Effect<unknown, DbError> {
    const { key } = this.columns
    const wholly = { ...options, limit: unlimited }
    return Effect.map(
      Effect.forEach(parts, (part) => this.pages(reading, part, wholly), { concurrency: atOnce }),
      (found) => {
        const rows = new Map<unknown, unknown>()
        for (const row of found.flat()) rows.set(isValues(row) ? row[key.column] : row, row)
        return [...rows.values()]
      }
    )
  }

  private requested({ db, identity }: Reading, rows: Narrow, options: AnyOptions): Effect.Effect<unknown, DbError> {
    const { columns } = this
    return Effect.flatMap(listed(columns, rows, options), (refine) =>
      readAs(db, (client) => refine(client.from(columns.table).select(columns.listed)), identity.as)
    )
  }

  /** What a limit asks for, also where the server gives no more at a time than its own `db-max-rows`. */
  private completed(
    reading: Reading,
    chosen: Narrow,
    options: AnyOptions,
    rows: unknown,
    last = Array.isArray(rows) ? rows.length : 0
  ): Effect.Effect<unknown, DbError> {
    const { limit, offset = 0 } = options
    if (!Array.isArray(rows) || limit === undefined) return Effect.succeed(rows)
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (rows.length >= limit || !mostRowsOf(reading.db).mayCut(last, now)) return Effect.succeed(rows)
      const rest = { ...options, limit: limit - rows.length, offset: offset + rows.length }
      return Effect.flatMap(this.requested(reading, chosen, rest), (more) => {
        if (!Array.isArray(more) || more.length === 0) return Effect.succeed(rows)
        return this.completed(reading, chosen, options, [...rows, ...more], more.length)
      })
    })
  }

  count(options: AnyOptions): Effect.Effect<number, DbError, R> {
    const { columns } = this
    return Effect.gen(this, function* () {
      const { parts } = yield* chosen(columns, options)
      const reading = yield* this.reading
      const counts = yield* Effect.forEach(parts, (part) => this.counted(reading, filtered(part, options)), {
        concurrency: atOnce
      })
      return counts.reduce((sum, count) => sum + count, 0)
    })
  }

  private counted({ db, identity }: Reading, rows: Refine): Effect.Effect<number, DbError> {
    const { columns } = this
    const query = (client: SupabaseClient): TableQuery =>
      rows(client.from(columns.table).select(columns.key.column, { count: "exact", head: true }))
    const asked = db.response(query, identity.as === "service" ? { as: "service" } : undefined)
    return Effect.map(asked, ({ count }) => count ?? 0)
  }
}

/** Parts of one question that are asked at the same time. */
const atOnce = 4

const unlessMissing = <R>(row: Effect.Effect<unknown, DbError, R>): Effect.Effect<Option.Option<unknown>, DbError, R> =>
  Effect.catchIf(Effect.asSome(row), isMissing, () => Effect.succeedNone)

const isMissing = (error: DbError): error is RowNotFound => error._tag === "RowNotFound" && error.details === ""

const readAs = (
  db: Database.ReadCore,
  query: (client: SupabaseClient) => PromiseLike<Response>,
  as: Identity["as"]
): Effect.Effect<unknown, DbError> => db.read(query, as === "service" ? { as } : undefined)
