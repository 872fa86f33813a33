/** What can be done with a database, whatever its schema is and whatever has to be provided for it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import type { Effect, Schema, Stream } from "effect"
import type { DecodeError } from "../../Errors.js"
import type { TableSchema } from "../table/columns.js"
import type { Keyed, ReadTableOf, TableOf, TableOptions, WithId } from "../table/table.js"
import type { TransactionOptions } from "../transaction/options.js"
import type { Step } from "../transaction/planned.js"
import type * as Database from "./database.js"
import type {
  ReadError,
  RequestError,
  RowsError,
  StreamError,
  TransactionError,
  WriteError
} from "./operationErrors.js"
import type { PostgrestResult, ResultWithoutData } from "./postgrestResult.js"
import type { RetryOptions } from "./retryOptions.js"
import type { Sound, SoundAnswer, SoundStep } from "./sound.js"
import type { Ranged, Row, ServiceStreamOptions, StreamOptions } from "./stream.js"

/**
 * Stands for the schema of a database whose tables nobody has described: every name is taken.
 *
 * @since 0.1.0
 * @category models
 */
export interface Untyped {
  readonly untyped: never
}

/**
 * The client of a database whose schema is known. It is `SupabaseClient<D>` under a name with one parameter: the compiler
 * compares each of that one's five to infer what a function of it gives, which takes it longer than most applications.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypedClient<D> extends SupabaseClient<D> {}

/**
 * The client of a database with this schema.
 *
 * @since 0.1.0
 * @category models
 */
export type Client<D> = [D] extends [Untyped] ? SupabaseClient : TypedClient<D>

/**
 * @since 0.1.0
 * @category models
 */
export interface OperationOptions extends Database.ExactOptions {
  /** How it is tried again; `false` for not at all. The pools' options decide where nothing is said. */
  readonly retry?: RetryOptions | false | undefined
  // So that what needs `Db` is not taken for one of these.
  readonly as?: undefined
  readonly pool?: undefined
}

/** Whether `ReadDb` is enough for it. */
export const isReading = (
  options: OperationOptions | Database.ReadOptions | Database.ResponseOptions | undefined
): options is OperationOptions | undefined =>
  options === undefined || !["as", "pool", "idempotent", "maxAffected"].some((name) => name in options)

/**
 * What a caller's function is given and gives.
 *
 * @since 0.1.0
 * @category models
 */
export type Asks<D, Q> = [D] extends [Untyped]
  ? (client: SupabaseClient) => Q
  : (client: TypedClient<D>) => Q & Sound<Q>

/**
 * The same of a function that gives a builder, or any promise of one kind of response, which is most of them. What it resolves to
 * is inferred from its return type at once, and not taken out of that afterwards, which costs the compiler far more.
 */
type Asking<D, A> = [D] extends [Untyped]
  ? (client: SupabaseClient) => PromiseLike<A>
  : (client: TypedClient<D>) => PromiseLike<A> & SoundAnswer<A>

type PublicOf<D> = D extends { readonly public: infer P } ? P : never

type TablesOf<D> = PublicOf<D> extends { readonly Tables: infer T; readonly Views: infer V } ? T & V : never

type FunctionsOf<D> = PublicOf<D> extends { readonly Functions: infer F } ? F : never

type FunctionOf<D, Name> = Name extends keyof FunctionsOf<D> ? FunctionsOf<D>[Name] : never

/**
 * The names of a schema's tables and views.
 *
 * @since 0.1.0
 * @category models
 */
export type TableName<D> = [D] extends [Untyped] ? string : keyof TablesOf<D> & string

/**
 * The names of a schema's functions.
 *
 * @since 0.1.0
 * @category models
 */
export type FunctionName<D> = [D] extends [Untyped] ? string : keyof FunctionsOf<D> & string

/**
 * What a function gives.
 *
 * @since 0.1.0
 * @category models
 */
export type Returned<D, Name> = [D] extends [Untyped]
  ? unknown
  : FunctionOf<D, Name> extends { readonly Returns: infer A }
    ? A
    : never

type ArgsOf<D, Name> = [D] extends [Untyped]
  ? Record<string, unknown>
  : FunctionOf<D, Name> extends { readonly Args: infer A }
    ? [A] extends [never]
      ? Record<string, never>
      : A
    : never

/**
 * What a function is given, and how it is called.
 *
 * @since 0.1.0
 * @category models
 */
export type Arguments<D, Name, Options> =
  Record<string, never> extends ArgsOf<D, Name>
    ? [args?: ArgsOf<D, Name> | undefined, options?: Options]
    : [args: ArgsOf<D, Name>, options?: Options]

type RowOf<D, Name> = Name extends keyof TablesOf<D>
  ? TablesOf<D>[Name] extends { readonly Row: infer R }
    ? R
    : never
  : never

/**
 * Nothing to add where each column of the schema is one of the table's; else what no schema is, with the name in it.
 *
 * @since 0.1.0
 * @category models
 */
export type Fitting<D, Name, S extends TableSchema> = [D] extends [Untyped]
  ? unknown
  : [Exclude<keyof Schema.Schema.Encoded<S>, keyof RowOf<D, Name>>] extends [never]
    ? unknown
    : { readonly "the table has no column": Exclude<keyof Schema.Schema.Encoded<S>, keyof RowOf<D, Name>> }

/** A service that was taken from its tag no longer says whose it is: it accepts the steps of any table. */
type Owner<Of> = [Of] extends [never] ? unknown : Of

type StepsOf<D, Of> = ReadonlyArray<
  ((client: Client<D>) => PromiseLike<ResultWithoutData>) | Step<unknown, unknown, Owner<Of>>
>

/**
 * The steps of a transaction, where each names only what the schema has; in place of one that does not stands what no step is,
 * with the reason in it.
 *
 * @since 0.1.0
 * @category models
 */
export type SoundSteps<D, Steps> = [D] extends [Untyped]
  ? Steps
  : { readonly [K in keyof Steps]: Steps[K] & SoundStep<Steps[K]> }

/**
 * Reads, and can do nothing else: the service of `ReadDb`, so that nothing has to be provided for what it gives.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reader<D = Untyped> {
  read<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options?: OperationOptions
  ): Effect.Effect<Database.Given<A, D>, ReadError>
  read<Q extends Database.Query>(
    f: Asks<D, Q>,
    options?: OperationOptions
  ): Effect.Effect<Database.Result<Q, D>, Database.Failure<Q, ReadError>, Database.Needs<Q>>
  /** As `read`, with the rows as the schema decodes them. */
  readAs<A, I>(
    schema: Schema.Schema<A, I>,
    f: (client: Client<D>) => PromiseLike<PostgrestResult>,
    options?: OperationOptions
  ): Effect.Effect<A, ReadError | DecodeError>
  /** As `read`, with count and status. */
  response<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options?: OperationOptions
  ): Effect.Effect<Database.Responded<A, D>, ReadError>
  response<Q extends PromiseLike<PostgrestResult>>(
    f: Asks<D, Q>,
    options?: OperationOptions
  ): Effect.Effect<Database.Success<Q, D>, ReadError>
  /** Calls a function that only reads. */
  rpc<const Name extends FunctionName<D>>(
    name: Name,
    ...rest: Arguments<D, Name, ReadingRpcOptions>
  ): Effect.Effect<Returned<D, Name>, RequestError>
  stream<Q extends Ranged>(f: Asks<D, Q>, options?: StreamOptions): Stream.Stream<Row<Q, D>, StreamError>
  /** What `Db.table` gives, as far as it reads. */
  table<const Name extends TableName<D>, S extends TableSchema, const O extends ReadTableOptions<S>>(
    name: Name,
    schema: S & Fitting<D, Name, S>,
    options: O & Keyed<S, O>
  ): ReadTableOf<S, O, never>
  table<const Name extends TableName<D>, S extends WithId>(
    name: Name,
    schema: S & Fitting<D, Name, S>
  ): ReadTableOf<S, unknown, never>
}

type ReadTableOptions<S extends TableSchema> = TableOptions<S> & { readonly as?: undefined }

/**
 * @since 0.1.0
 * @category models
 */
export interface ReadingRpcOptions extends OperationOptions {
  readonly get?: true | undefined
  /** As in `RpcOptions`. */
  readonly limit?: number | undefined
  /** As in `RpcOptions`. */
  readonly offset?: number | undefined
}

/**
 * All that can be done with a database of schema `D`, where `Reading` has to be provided for what reads and `Writing` for
 * what can write: of `ReaderWriter` neither, of `Db.typed` `ReadDb` and `Db`, of a database of its own that one's tags.
 *
 * @since 0.1.0
 * @category models
 */
export interface Access<D, Reading, Writing> {
  read<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options?: OperationOptions
  ): Effect.Effect<Database.Given<A, D>, ReadError, Reading>
  read<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options: Database.ReadOptions
  ): Effect.Effect<Database.Given<A, D>, ReadError, Writing>
  read<Q extends Database.Query>(
    f: Asks<D, Q>,
    options?: OperationOptions
  ): Effect.Effect<Database.Result<Q, D>, Database.Failure<Q, ReadError>, Database.Needs<Q> | Reading>
  read<Q extends Database.Query>(
    f: Asks<D, Q>,
    options: Database.ReadOptions
  ): Effect.Effect<Database.Result<Q, D>, Database.Failure<Q, ReadError>, Database.Needs<Q> | Writing>
  /** As `read`, with the rows as the schema decodes them. */
  readAs<A, I>(
    schema: Schema.Schema<A, I>,
    f: (client: Client<D>) => PromiseLike<PostgrestResult>,
    options?: OperationOptions
  ): Effect.Effect<A, ReadError | DecodeError, Reading>
  readAs<A, I>(
    schema: Schema.Schema<A, I>,
    f: (client: Client<D>) => PromiseLike<PostgrestResult>,
    options: Database.ReadOptions
  ): Effect.Effect<A, ReadError | DecodeError, Writing>
  write<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options?: Database.WriteOptions
  ): Effect.Effect<Database.Given<A, D>, WriteError, Writing>
  write<Q extends Database.Query>(
    f: Asks<D, Q>,
    options?: Database.WriteOptions
  ): Effect.Effect<Database.Result<Q, D>, Database.Failure<Q, WriteError>, Database.Needs<Q> | Writing>
  /** As `write`, with the rows as the schema decodes them. */
  writeAs<A, I>(
    schema: Schema.Schema<A, I>,
    f: (client: Client<D>) => PromiseLike<PostgrestResult>,
    options?: Database.WriteOptions
  ): Effect.Effect<A, WriteError | DecodeError, Writing>
  /** As `read` or `write`, with count and status. */
  response<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options?: OperationOptions
  ): Effect.Effect<Database.Responded<A, D>, ReadError, Reading>
  response<A extends ResultWithoutData>(
    f: Asking<D, A>,
    options: Database.ResponseOptions
  ): Effect.Effect<Database.Responded<A, D>, ReadError, Writing>
  response<Q extends PromiseLike<PostgrestResult>>(
    f: Asks<D, Q>,
    options?: OperationOptions
  ): Effect.Effect<Database.Success<Q, D>, ReadError, Reading>
  response<Q extends PromiseLike<PostgrestResult>>(
    f: Asks<D, Q>,
    options: Database.ResponseOptions
  ): Effect.Effect<Database.Success<Q, D>, ReadError, Writing>
  rpc<const Name extends FunctionName<D>>(
    name: Name,
    args: ArgsOf<D, Name> | undefined,
    options: Database.RpcOptions & { readonly get: true }
  ): Effect.Effect<Returned<D, Name>, RequestError, Reading>
  rpc<const Name extends FunctionName<D>>(
    name: Name,
    ...rest: Arguments<D, Name, Database.RpcOptions>
  ): Effect.Effect<Returned<D, Name>, RequestError, Writing>
  /** As `rpc`, with what it gives as the schema decodes it. */
  rpcAs<A, I, const Name extends FunctionName<D>>(
    schema: Schema.Schema<A, I>,
    name: Name,
    args: ArgsOf<D, Name> | undefined,
    options: Database.RpcOptions & { readonly get: true }
  ): Effect.Effect<A, RowsError, Reading>
  rpcAs<A, I, const Name extends FunctionName<D>>(
    schema: Schema.Schema<A, I>,
    name: Name,
    ...rest: Arguments<D, Name, Database.RpcOptions>
  ): Effect.Effect<A, RowsError, Writing>
  /** All steps or none, once; see `Transaction`. */
  transaction<const Steps extends StepsOf<D, Writing>>(
    steps: SoundSteps<D, Steps>,
    options?: TransactionOptions
  ): Effect.Effect<Database.TransactionResults<Steps, D>, TransactionError, Writing>
  stream<Q extends Ranged>(f: Asks<D, Q>, options?: StreamOptions): Stream.Stream<Row<Q, D>, StreamError, Reading>
  stream<Q extends Ranged>(f: Asks<D, Q>, options: ServiceStreamOptions): Stream.Stream<Row<Q, D>, StreamError, Writing>
  /** As `Db.table`, of this database. */
  table<const Name extends TableName<D>, S extends TableSchema, const O extends TableOptions<S>>(
    name: Name,
    schema: S & Fitting<D, Name, S>,
    options: O & Keyed<S, O>
  ): TableOf<S, O, Reading, Writing>
  table<const Name extends TableName<D>, S extends WithId>(
    name: Name,
    schema: S & Fitting<D, Name, S>
  ): TableOf<S, unknown, Reading, Writing>
}

/**
 * Reads and writes: the service of `Db`, so that nothing has to be provided for what it gives.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReaderWriter<D = Untyped> extends Access<D, never, never> {}
