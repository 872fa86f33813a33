/** What can be done with the database of two tags, where the compiler knows its schema. */
import { Effect } from "effect"
import type { TransactionOptions } from "../transaction/options.js"
import { type Access, isReading, type Reader, type ReaderWriter } from "./access.js"
import * as Database from "./database.js"
import { type AnyAnswer, type AnyOptions, type AnyQuery, type Anything, Derived } from "./derived.js"
import { asMade } from "./identity.js"

/** By way of tags: whose service it is, is known when it runs. */
export class Accessors extends Derived {
  protected readonly source: Database.Source<unknown>

  constructor(source: Database.Source<unknown>) {
    super()
    this.source = source
  }

  read(f: AnyQuery, options?: AnyOptions): Anything {
    return asMade(Effect.flatMap(this.of(options), (db) => db.read(f, options)))
  }

  write(f: AnyQuery, options?: Database.WriteOptions): Anything {
    return asMade(Effect.flatMap(this.source.writing, (db) => db.write(f, options)))
  }

  response(f: AnyAnswer, options?: AnyOptions): Anything {
    return asMade(Effect.flatMap(this.of(options), (db) => db.response(f, options)))
  }

  rpc(name: string, args?: Record<string, unknown>, options?: Database.RpcOptions): Anything {
    const { reading, writing } = this.source
    const source: Effect.Effect<Database.UntypedReader, never, unknown> = options?.get === true ? reading : writing
    return asMade(Effect.flatMap(source, (db) => db.rpc(name, args, options)))
  }

  transaction(steps: ReadonlyArray<Database.AnyStep>, options?: TransactionOptions): Anything {
    return asMade(Effect.flatMap(this.source.writing, (db) => db.transaction(steps, options)))
  }

  /** For an object that has more than this. */
  get bound(): object {
    const { read, readAs, response, rpc, rpcAs, stream, table, transaction, write, writeAs } = this
    const methods = { read, readAs, response, rpc, rpcAs, stream, table, transaction, write, writeAs }
    return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, method.bind(this)]))
  }

  private of(options: AnyOptions | undefined): Effect.Effect<Database.UntypedReader, never, unknown> {
    return isReading(options) ? this.source.reading : this.source.writing
  }
}

/**
 * The accessors of `Db`, with a client that knows the tables, columns and functions of `D`: a name that is none of them is
 * refused by the compiler.
 *
 * @since 0.1.0
 * @category models
 */
export interface Typed<D> extends Access<D, Database.ReadDb, Database.Db> {
  /** The services of the tags, with the same types: `const db = yield* typed.Db`, and nothing has to be provided later. */
  readonly Db: Effect.Effect<ReaderWriter<D>, never, Database.Db>
  readonly ReadDb: Effect.Effect<Reader<D>, never, Database.ReadDb>
}

/**
 * The accessors of `Db` for the `Database` type that `supabase gen types` writes: tables, columns, functions and rows
 * are checked by the compiler, and rows come back as the builder infers them. As with `createClient<Database>`, that the
 * database has this schema is the caller's word: nothing at run time can check it.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 *
 * interface Database {
 *   public: {
 *     Tables: {
 *       products: {
 *         Row: { id: string; title: string; price: number }
 *         Insert: { id?: string; title: string; price: number }
 *         Update: { id?: string; title?: string; price?: number }
 *         Relationships: []
 *       }
 *     }
 *     Views: Record<never, never>
 *     Functions: Record<never, never>
 *   }
 * }
 *
 * const db = Db.typed<Database>()
 *
 * // Effect<Array<{ title: string }>, ReadError, ReadDb>
 * export const titles = db.read((client) => client.from("products").select("title"))
 *
 * @since 0.1.0
 * @category constructors
 */
export function typed<D>(): Typed<D>
export function typed(): unknown {
  return Object.assign(new Accessors(Database.byTags), { Db: Database.Db, ReadDb: Database.ReadDb })
}
