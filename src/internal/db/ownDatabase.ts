/** A database with a tag of its own, beside the one of `Db`. */
import {
  type ConfigError,
  Context,
  Effect,
  type Config as EffectConfig,
  GlobalValue,
  Layer,
  Option,
  type Redacted,
  type Scope
} from "effect"
import * as Config from "../../Config.js"
import type { Handler } from "../connection/handlerTransport.js"
import { DatabaseName } from "../pool/databaseName.js"
import * as OncePer from "../shared/oncePer.js"
import type { Access, Reader, ReaderWriter } from "./access.js"
import { type AsUser, asUserBy, redacted } from "./asUser.js"
import { ReadDb as CommonReadDb, Db, sourceOf } from "./database.js"
import { ownTokens } from "./identity.js"
import * as Layers from "./layers.js"
import { Accessors } from "./typedAccessors.js"

/**
 * Who may read and write the database of that name and schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface Of<Name extends string, D> {
  readonly _: "effect-supabase-pool/Db"
  readonly name: Name
  readonly schema: (schema: D) => D
}

/**
 * Who may only read it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadOf<Name extends string, D> {
  readonly _: "effect-supabase-pool/ReadDb"
  readonly name: Name
  readonly schema: (schema: D) => D
}

type Made<Name extends string, D, E = Config.ConfigInvalid, R = never> = Layer.Layer<
  Of<Name, D> | ReadOf<Name, D>,
  E,
  R
>

type MadeRead<Name extends string, D> = Layer.Layer<ReadOf<Name, D>, Config.ConfigInvalid>

/**
 * What `Db.make` gives: a tag, everything that can be done with its database, and the layers that provide it.
 *
 * @since 0.1.0
 * @category models
 */
export interface OwnDatabase<Name extends string, D>
  extends Context.Tag<Of<Name, D>, ReaderWriter<D>>,
    Access<D, ReadOf<Name, D>, Of<Name, D>> {
  new (_: never): Of<Name, D>
  /** Who may only read, as `Db.ReadDb`. */
  readonly ReadDb: Context.Tag<ReadOf<Name, D>, Reader<D>>
  /**
   * As `Db.withAccessToken`, for the requests to this database alone. Inside `Db.withAccessToken` and without a token of its
   * own it is asked with that one.
   */
  readonly withAccessToken: (jwt: string | Redacted.Redacted) => AsUser
  /** As `Db.layer`. */
  readonly layer: Made<Name, D, Config.ConfigInvalid, Config.PoolConfig | Config.SupabaseConfig>
  /** As `Db.layerFromEnv`: the same variables, so give it a `ConfigProvider` of its own. */
  readonly layerFromEnv: Made<Name, D>
  /** As `Db.layerOf`. */
  readonly layerOf: (options: Config.SupabaseOptionsInput & Config.PoolOptionsInput) => Made<Name, D>
  /** As `Db.layerConfig`. */
  readonly layerConfig: (
    config: EffectConfig.Config.Wrap<Config.SupabaseOptionsInput & Config.PoolOptionsInput>
  ) => Made<Name, D, ConfigError.ConfigError>
  /** As `Db.layerRead`: what writes, or reads as the service, does not compile over it. */
  readonly layerRead: (
    options: Omit<Config.SupabaseOptionsInput, "serviceRoleKey"> & Config.PoolOptionsInput
  ) => MadeRead<Name, D>
  /** As `Db.layerReadFromEnv`: give it a `ConfigProvider` of its own. */
  readonly layerReadFromEnv: MadeRead<Name, D>
  /** As `Db.layerTest`. */
  readonly layerTest: <R = never>(
    handler: Handler<R>,
    options?: Config.PoolOptionsInput
  ) => Made<Name, D, Config.ConfigInvalid, R>
  /** This database as the one of `Db`, with its pools and metrics: for whatever is written for those tags. */
  readonly layerAsDb: Layer.Layer<Layers.Provided, never, Of<Name, D>>
}

/** Where a database of a name is: an address, or the one handler of a spec. */
type Place = string | object

/** Those that are open now, by name. */
const open = GlobalValue.globalValue(
  "effect-supabase-pool/internal/own/open",
  () => new Map<string, Set<{ readonly owner: object; readonly place: Place }>>()
)

const words = (place: Place): string => (typeof place === "string" ? place : "a handler (layerTest)")

/**
 * Effect knows tags by their names, so two of one name would be one: whoever asks either is answered by whichever database
 * was provided last. A module that is loaded twice, as bundlers and hot reloads do, makes its tag twice, of one place.
 */
const registered = (
  name: string,
  owner: object,
  place: Place
): Effect.Effect<void, Config.ConfigInvalid, Scope.Scope> =>
  Effect.suspend(() => {
    const all = open.get(name) ?? new Set()
    const other = [...all].find((one) => one.owner !== owner && one.place !== place)
    if (other !== undefined) {
      return new Config.ConfigInvalid({
        mistakes: [
          {
            variable: `Db.make("${name}")`,
            problem: `two databases have this name: ${words(other.place)} and ${words(place)}`,
            remedy: "give each a name of its own, or make the tag once and import it"
          }
        ]
      })
    }
    const entry = { owner, place }
    open.set(name, all.add(entry))
    return Effect.addFinalizer(() =>
      Effect.sync(() => {
        all.delete(entry)
        if (all.size === 0 && open.get(name) === all) open.delete(name)
      })
    )
  })

/** What each service of a database of its own was provided with. */
const provided: WeakMap<object, Context.Context<Layers.Provided>> = new WeakMap()

const isName = (name: unknown): name is string => typeof name === "string" && name.trim() !== ""

const makeOne = (name: string): unknown => {
  if (!isName(name)) throw new TypeError(`Db.make: ${JSON.stringify(name)} is no name. Give a text that is not empty.`)
  const owner = {}
  const tag = Context.Tag(`effect-supabase-pool/Db/${name}`)<Of<string, unknown>, ReaderWriter>()
  const ReadDb = Context.Tag(`effect-supabase-pool/ReadDb/${name}`)<ReadOf<string, unknown>, Reader>()
  const placed = <A, E, R, R2>(
    database: Layer.Layer<A, E, R>,
    place: Effect.Effect<Place, never, R2>
  ): Layer.Layer<A, E | Config.ConfigInvalid, R | R2> =>
    Layer.unwrapScoped(
      Effect.as(
        Effect.flatMap(place, (found) => registered(name, owner, found)),
        Layer.provide(database, Layer.succeed(DatabaseName, { name }))
      )
    )
  const own = <E, R, R2>(database: Layer.Layer<Layers.Provided, E, R>, place: Effect.Effect<Place, never, R2>) =>
    placed(database, place).pipe(
      Layer.map((context) => {
        const service = Context.get(context, Db)
        provided.set(service, context)
        return Context.make(tag, service).pipe(Context.add(ReadDb, service))
      })
    )
  const address = Effect.map(Config.SupabaseConfig, ({ url }) => url)
  const sockets = own(Layers.sockets, address)
  const reading = Layer.map(placed(Layers.reading, address), (context) =>
    Context.make(ReadDb, Context.get(context, CommonReadDb))
  )
  const layerOf = (options: Config.SupabaseOptionsInput & Config.PoolOptionsInput) =>
    Layers.ownParts(Layer.provide(sockets, Config.layerOf(options)))
  const accessors = new Accessors(sourceOf(ReadDb, tag))
  const serviceIn = (context: Context.Context<never>) => Option.getOrUndefined(Context.getOption(context, tag))
  return Object.assign(tag, {
    ...accessors.bound,
    ReadDb,
    withAccessToken: (jwt: string | Redacted.Redacted) => {
      const token = redacted(jwt)
      return asUserBy((effect) => Effect.locallyWith(effect, ownTokens, (own) => new Map([...own, [name, token]])))
    },
    layer: OncePer.oncePer(Layers.byConfig(), () => Layers.ownParts(sockets)),
    layerFromEnv: OncePer.oncePer(OncePer.byEnvironment, () => Layers.ownParts(Layer.provide(sockets, Config.layer))),
    layerOf,
    layerConfig: (config: EffectConfig.Config.Wrap<Config.SupabaseOptionsInput & Config.PoolOptionsInput>) =>
      Layers.configured(config, layerOf),
    layerRead: (options: Omit<Config.SupabaseOptionsInput, "serviceRoleKey"> & Config.PoolOptionsInput) =>
      Layers.ownParts(Layer.provide(reading, Config.layerReadOf(options))),
    layerReadFromEnv: OncePer.oncePer(OncePer.byEnvironment, () =>
      Layers.ownParts(Layer.provide(reading, Config.layerReadFromEnv))
    ),
    layerTest: <R>(handler: Handler<R>, options: Config.PoolOptionsInput = {}) =>
      Layers.ownParts(own(Layers.handled(handler, options), Effect.succeed(handler))),
    layerAsDb: OncePer.oncePer(
      ({ context }) => serviceIn(context),
      () => Layer.effectContext(Effect.map(tag, (service) => provided.get(service) ?? absent(name)))
    )
  })
}

const absent = (name: string): never => {
  throw new Error(`${name}.layerAsDb: the service was not made by a layer of ${name}. Provide one of them.`)
}

/**
 * A database beside the one of `Db`: a tag of its own, with all that can be done with it, typed by the `Database` that
 * `supabase gen types` writes.
 *
 * What is made with it (an operation, a table, a stream) needs its tags, so the compiler refuses the layer of another. Each
 * name stands for one database of a process: where two tags of one name are open at two addresses, the second fails to open
 * with `ConfigInvalid`.
 *
 * @example
 * import { Db } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * interface ArchiveSchema {
 *   public: {
 *     Tables: {
 *       events: { Row: { id: string; what: string }; Insert: { what: string }; Update: { what?: string }; Relationships: [] }
 *     }
 *     Views: Record<never, never>
 *     Functions: Record<never, never>
 *   }
 * }
 *
 * class Archive extends Db.make<ArchiveSchema>()("Archive") {}
 *
 * // Effect<null, WriteError, Of<"Archive", ArchiveSchema>>
 * export const note = (what: string) => Archive.write((client) => client.from("events").insert({ what }))
 *
 * export const service = Effect.map(Archive, (db) => ({
 *   // Effect<…, ReadError>: nothing has to be provided any more.
 *   all: db.read((client) => client.from("events").select("what"))
 * }))
 *
 * export const ArchiveLive = Archive.layerOf({
 *   url: "https://my-archive.supabase.co",
 *   anonKey: "<anon key>",
 *   serviceRoleKey: "<service role key>"
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export function make<D>(): <const Name extends string>(name: Name) => OwnDatabase<Name, D>
export function make(): (name: string) => unknown {
  return makeOne
}
