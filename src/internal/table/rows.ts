/** The reading half of a table, where the type of the rows is not known. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Chunk, Effect, FiberRef, Option, Stream } from "effect"
import type { DbError, RowNotFound } from "../../Errors.js"
import { boundsOf, boundsOn } from "../connection/builderFields.js"
import type * as Database from "../db/database.js"
import { asMaker, tokenFor } from "../db/identity.js"
import { listIn, noCount } from "../db/list.js"
import { type ByKey, streamOf } from "../db/stream.js"
import { ofTable } from "../db/tracing.js"
import { orNone, type Part, whole } from "../db/whole.js"
import { currentKey } from "../rateLimit/admission.js"
import { keeping } from "../shared/asyncContext.js"
import { type Columns, isValues } from "./columns.js"
import type { Scalar } from "./literal.js"
import { Get, type Identity, Loader, resolver } from "./loader.js"
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
  pagesByKey,
  type Refine,
  type TableQuery
} from "./query.js"

/** One per database, since batches are. */
type Loaders = WeakMap<Database.UntypedReader, Loader>

/** Where rows are asked for, and by which way. */
export interface Reading {
  readonly db: Database.UntypedReader
  readonly via: Database.ResponseOptions
}

/** And the eyes that this fiber reads them with. */
interface Seeing extends Reading {
  readonly loader: Loader
  readonly identity: Identity
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

  private loaderOf(db: Database.UntypedReader): Loader {
    const known = this.loaders.get(db)
    if (known !== undefined) return known
    const loader = new Loader(this.columns, db.seen, (query, as) => db.placed(query, this.viaOf(as)))
    this.loaders.set(db, loader)
    return loader
  }

  private viaOf(as: Identity["as"]): Database.ResponseOptions {
    const { exact } = this.columns
    return as === undefined ? { exact } : { as, exact }
  }

  /** A user's token stands above what the table says: who has one sees what that user sees. */
  get reading(): Effect.Effect<Seeing, never, R> {
    const { reading, writing } = this.source
    const source: Effect.Effect<Database.UntypedReader, never, R> = this.as === "service" ? writing : reading
    return Effect.gen(this, function* () {
      const db = yield* source
      const token = yield* tokenFor(db)
      const caller = yield* FiberRef.get(currentKey)
      const as = Option.isSome(token) ? undefined : this.as
      return { db, via: this.viaOf(as), loader: this.loaderOf(db), identity: { caller, token, as } }
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
        : yield* this.pages(reading, rows.whole, options, rows.keys)
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
      const byKey = pagesByKey(columns, options)
      return Stream.concatAll(
        Chunk.fromIterable(queries.map((refine) => this.streamed(refine, { ...options, byKey }, identity.as)))
      )
    })
    return Stream.unwrap(asUser(pages))
  }

  private streamed(
    refine: Refine,
    { byKey, pageSize }: AnyStreamOptions & { readonly byKey: ByKey<TableQuery> | undefined },
    as: Identity["as"]
  ): Stream.Stream<unknown, DbError, R> {
    const { columns } = this
    const { exact } = columns
    const query = (client: SupabaseClient): TableQuery => refine(client.from(columns.table).select(columns.listed))
    const options = as === undefined ? { pageSize, exact } : { pageSize, as, exact }
    const named = <A, E, Needs>(page: Effect.Effect<A, E, Needs>) => ofTable("SELECT", columns.table, page)
    const rows = streamOf(this.source, query, options, { named, byKey })
    return Stream.mapChunksEffect(rows, (page) =>
      Effect.map(
        columns.decodeAll(
          Array.from(page, (row) => columns.renamed(row)),
          "read"
        ),
        Chunk.fromIterable
      )
    )
  }

  page(options: AnyOptions): Effect.Effect<Page<unknown>, DbError, R> {
    return Effect.all({ rows: this.list(options), total: this.count(options) }, { concurrency: 2 })
  }

  /** All of them, or as many as a limit says, however many the server gives at a time. */
  private pages(
    reading: Reading,
    rows: Narrow,
    options: AnyOptions,
    keys?: number
  ): Effect.Effect<ReadonlyArray<unknown>, DbError> {
    const { columns } = this
    const asked = (refine: Refine, taken: number, most?: number) =>
      Effect.map(this.part(reading, refine, taken, most), (part): Part => ({ ...part, keys }))
    return Effect.flatMap(listed(columns, rows, options), (refine) =>
      Effect.map(
        whole((taken, most) => asked(refine, taken, most), reading.db.seen),
        (found) => found.map((row) => columns.renamed(row))
      )
    )
  }

  /** Each to its end; a row that changed sides meanwhile is there once. */
  parts(reading: Reading, { parts }: Chosen, options: AnyOptions): Effect.Effect<ReadonlyArray<unknown>, DbError> {
    const { key } = this.columns
    const wholly = { ...options, limit: undefined }
    return Effect.map(
      Effect.forEach(parts, (part) => this.pages(reading, part, wholly), { concurrency: atOnce }),
      (found) => {
        const rows = new Map<unknown, unknown>()
        for (const row of found.flat()) rows.set(isValues(row) ? row[key.column] : row, row)
        return [...rows.values()]
      }
    )
  }

  /** From where an earlier answer stopped. A caller's own filter may say a limit and an offset, too. */
  private part({ db, via }: Reading, refine: Refine, taken: number, most?: number): Effect.Effect<Part, DbError> {
    const { columns } = this
    let wanted = Number.POSITIVE_INFINITY
    let from = 0
    const query = (client: SupabaseClient): TableQuery => {
      const all = refine(client.from(columns.table).select(columns.listed))
      const { limit, offset } = boundsOf(all)
      wanted = limit
      from = offset
      return taken === 0
        ? all
        : boundsOn(all, { offset: offset + taken, limit: Math.min(limit - taken, most ?? Number.POSITIVE_INFINITY) })
    }
    const part = Effect.flatMap(db.placed(query, via), (answer) =>
      Effect.map(listIn(answer, answer.data), (rows): Part => ({ rows, place: answer.place, wanted, offset: from }))
    )
    return orNone(taken, part, () => ({ rows: [], place: undefined, wanted, offset: from }))
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

  private counted({ db, via }: Reading, rows: Refine): Effect.Effect<number, DbError> {
    const { key, table } = this.columns
    const query = (client: SupabaseClient): TableQuery =>
      rows(client.from(table).select(key.column, { count: "exact", head: true }))
    return Effect.flatMap(db.placed(query, via), ({ header, place, ...asked }) =>
      place?.total === undefined ? Effect.fail(noCount(asked, header)) : Effect.succeed(place.total)
    )
  }
}

/** Parts of one question that are asked at the same time. */
const atOnce = 4

const unlessMissing = <R>(row: Effect.Effect<unknown, DbError, R>): Effect.Effect<Option.Option<unknown>, DbError, R> =>
  Effect.catchIf(Effect.asSome(row), isMissing, () => Effect.succeedNone)

const isMissing = (error: DbError): error is RowNotFound => error._tag === "RowNotFound" && error.details === ""
