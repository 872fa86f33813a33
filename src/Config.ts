/**
 * The configuration of the pools, the database client and the server: values, their sources, and their mistakes.
 *
 * Three tags hold the resolved values. Each has a `layer` that reads the environment through Effect's `ConfigProvider`
 * and a `layerOf` that takes plain values; both check the same things and fail with one `ConfigInvalid` that lists
 * *every* mistake by name. Later sources win: preset, `DB_POOL_CONFIG`, single variables.
 *
 * Note: `maxConnections` is for both pools together and each gets half of it, while `minConnections` applies to each pool.
 * `poolSizes` does that arithmetic.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as environment from "./internal/config/environment.js"
import * as mistake from "./internal/config/mistake.js"
import type {
  Load,
  Mistake,
  PoolOptions,
  PoolOptionsInput,
  PoolSize,
  ServerOptions,
  ServerOptionsInput,
  SupabaseOptions,
  SupabaseOptionsInput,
  Variable
} from "./internal/config/model.js"
import * as pool from "./internal/config/pool.js"
import * as presets from "./internal/config/presets.js"
import * as server from "./internal/config/server.js"
import * as supabase from "./internal/config/supabase.js"
import * as Variables from "./internal/config/variables.js"

export type {
  Load,
  Mistake,
  PoolOptions,
  PoolOptionsInput,
  PoolSize,
  ServerOptions,
  ServerOptionsInput,
  SupabaseOptions,
  SupabaseOptionsInput,
  Variable
} from "./internal/config/model.js"

import { sameInEveryCopy } from "./internal/errors/sameError.js"
import { byEnvironment, oncePer } from "./internal/shared/oncePer.js"

// -------------------------------------------------------------------------------------
// errors
// -------------------------------------------------------------------------------------

/**
 * The configuration cannot be used, and nothing was opened with it. `mistakes` has every mistake, not only the first;
 * `message` has one line for each. Neither contains a key, token or webhook. `configError` is the same as a `ConfigError`:
 * `Layer.mapError(Db.layerFromEnv, ({ configError }) => configError)`.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  mistakes: Schema.Array(
    Schema.Struct({
      variable: Schema.String,
      value: Schema.optionalWith(Schema.String, { exact: true }),
      problem: Schema.String,
      remedy: Schema.String
    })
  )
}) {
  override get message(): string {
    return mistake.message(this.mistakes)
  }
  /** The same as Effect has it, for a program whose layers fail with `ConfigError`: each mistake is one of its parts. */
  get configError(): ConfigError.ConfigError {
    const [first, ...more] = this.mistakes.map((each) =>
      ConfigError.InvalidData([each.variable], `${mistake.problemOf(each)}; ${each.remedy}`)
    )
    return first === undefined
      ? ConfigError.InvalidData([], this.message)
      : more.reduce((all, one) => ConfigError.And(all, one), first)
  }
}

sameInEveryCopy("ConfigInvalid", ConfigInvalid)

const invalid = (mistakes: ReadonlyArray<Mistake>, secrets: ReadonlyArray<string>): ConfigInvalid =>
  new ConfigInvalid({ mistakes: mistake.withoutSecrets(mistakes, secrets) })

// -------------------------------------------------------------------------------------
// presets
// -------------------------------------------------------------------------------------

/**
 * The preset that everything else overrides: 5 to 20 connections.
 *
 * @since 0.1.0
 * @category presets
 */
export const production: PoolOptions = presets.production

/**
 * 2 to 5 connections, a wait of 10 s, idle connections closed after a minute; else as production. `NODE_ENV=development`
 * takes it as the base.
 *
 * @since 0.1.0
 * @category presets
 */
export const development: PoolOptions = presets.development

/**
 * 10 to 50 connections, a wait of 45 s, 5 retries from 2 s on, a health check each 15 s; else as production.
 *
 * @since 0.1.0
 * @category presets
 */
export const highLoad: PoolOptions = presets.highLoad

/**
 * The preset for an expected load: `low` 2 to 10, `medium` 5 to 20, `high` 10 to 50, `extreme` 20 to 100 connections.
 *
 * Low and medium have production's other values, high and extreme those of `highLoad`.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const layer = Config.PoolConfig.layerOf(Config.optimized("high"))
 *
 * @since 0.1.0
 * @category presets
 */
export const optimized: (load: Load) => PoolOptions = presets.optimized

// -------------------------------------------------------------------------------------
// constructors
// -------------------------------------------------------------------------------------

const checkedInput = <A>(
  checked: mistake.Checked<A>,
  secrets: ReadonlyArray<string> = []
): Either.Either<A, ConfigInvalid> => Either.mapLeft(checked, (mistakes) => invalid(mistakes, secrets))

/**
 * The production preset with these options, checked, or every mistake by option name.
 *
 * A maximum given without a minimum lowers the preset's minimum to what fits; a minimum that was given is never changed.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 * import { Either } from "effect"
 *
 * const options = Config.poolOptions({ maxConnections: 8, connectionTimeout: "2 seconds" })
 * export const open = Either.map(options, ({ minConnections }) => minConnections) // right(4)
 *
 * @since 0.1.0
 * @category constructors
 */
export const poolOptions = (input: PoolOptionsInput): Either.Either<PoolOptions, ConfigInvalid> =>
  checkedInput(pool.fromInput(input))

/**
 * The size of each of the two pools: half of `maxConnections` each (odd: the read pool has one more), and
 * `minConnections` in each.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const sizes = Config.poolSizes(Config.production) // read and write: 5 to 10
 *
 * @since 0.1.0
 * @category constructors
 */
export const poolSizes: (options: Pick<PoolOptions, "minConnections" | "maxConnections">) => {
  readonly read: PoolSize
  readonly write: PoolSize
} = pool.sizes

/**
 * Every environment variable that is read, in the order of the documentation, for `--help` and the like.
 *
 * @since 0.1.0
 * @category constructors
 */
export const variables: ReadonlyArray<Variable> = Variables.variables

// -------------------------------------------------------------------------------------
// tags
// -------------------------------------------------------------------------------------

const everything = <A>(values: ReadonlyMap<string, string>, access: mistake.Checked<A>) =>
  Either.map(
    mistake.both(mistake.both(pool.fromEnvironment(values), access), server.fromEnvironment(values)),
    ([[pool, supabase], server]) => ({ pool, supabase, server })
  )

const fromEnvironment = <A>(
  check: (values: ReadonlyMap<string, string>) => mistake.Checked<A>
): Effect.Effect<A, ConfigInvalid> =>
  Effect.flatMap(environment.environment, ({ mistakes, secrets, values }) => {
    const checked = check(values)
    return mistakes.length === 0
      ? checkedInput(checked, secrets)
      : invalid([...mistakes, ...mistake.mistakesOf(checked)], secrets)
  })

/**
 * The options of both pools.
 *
 * `layer` reads the environment; `layerOf` takes plain values over the production preset. Both fail with `ConfigInvalid`.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const layer = Config.PoolConfig.layerOf({ minConnections: 2, maxConnections: 5, idleTimeout: "1 minute" })
 *
 * @since 0.1.0
 * @category tags
 */
export class PoolConfig extends Context.Tag("effect-supabase-pool/PoolConfig")<PoolConfig, PoolOptions>() {
  static readonly layer: Layer.Layer<PoolConfig, ConfigInvalid> = oncePer(byEnvironment, () =>
    Layer.effect(PoolConfig, Effect.zipRight(environment.warnOfMisspelt, fromEnvironment(pool.fromEnvironment)))
  )

  static readonly layerOf = (input: PoolOptionsInput): Layer.Layer<PoolConfig, ConfigInvalid> =>
    Layer.effect(
      PoolConfig,
      Effect.suspend(() => poolOptions(input))
    )
}

/**
 * Where the database is, and the keys.
 *
 * `layer` reads `SUPABASE_URL` and the keys and fails with `ConfigInvalid` when one is missing; `layerOf` takes values.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const layer = Config.SupabaseConfig.layerOf({
 *   url: "http://127.0.0.1:54321",
 *   anonKey: "sb_publishable_1",
 *   serviceRoleKey: "sb_secret_1"
 * })
 *
 * @since 0.1.0
 * @category tags
 */
export class SupabaseConfig extends Context.Tag("effect-supabase-pool/SupabaseConfig")<
  SupabaseConfig,
  SupabaseOptions
>() {
  static readonly layer: Layer.Layer<SupabaseConfig, ConfigInvalid> = oncePer(byEnvironment, () =>
    Layer.effect(SupabaseConfig, fromEnvironment(supabase.fromEnvironment))
  )

  static readonly layerOf = (input: SupabaseOptionsInput): Layer.Layer<SupabaseConfig, ConfigInvalid> =>
    Layer.effect(
      SupabaseConfig,
      Effect.suspend(() => checkedInput(supabase.fromInput(input), supabase.secretsOf(input)))
    )
}

/**
 * The HTTP server's address, admin token, alert webhook and log level.
 *
 * `layer` reads `PORT`, `HOST`, `DB_POOL_ALLOWED_HOSTS`, `DB_POOL_ADMIN_TOKEN`, `DB_POOL_SLACK_WEBHOOK_URL` and `LOG_LEVEL`; `layerOf` takes values
 * over the defaults (port 3000 of 127.0.0.1, level info). Both fail with `ConfigInvalid`.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const layer = Config.ServerConfig.layerOf({ port: 0, logLevel: "debug" })
 *
 * @since 0.1.0
 * @category tags
 */
export class ServerConfig extends Context.Tag("effect-supabase-pool/ServerConfig")<ServerConfig, ServerOptions>() {
  static readonly layer: Layer.Layer<ServerConfig, ConfigInvalid> = oncePer(byEnvironment, () =>
    Layer.effect(ServerConfig, fromEnvironment(server.fromEnvironment))
  )

  static readonly layerOf = (input: ServerOptionsInput): Layer.Layer<ServerConfig, ConfigInvalid> =>
    Layer.effect(
      ServerConfig,
      Effect.suspend(() => checkedInput(server.fromInput(input), server.secretsOf(input)))
    )
}

// -------------------------------------------------------------------------------------
// everything at once
// -------------------------------------------------------------------------------------

/**
 * The result of `load`. Without any `SUPABASE_*` variable there is no `supabase`, and an embedded one may start.
 *
 * @since 0.1.0
 * @category models
 */
export interface Loaded {
  readonly pool: PoolOptions
  readonly supabase: Option.Option<SupabaseOptions>
  readonly server: ServerOptions
}

/**
 * Everything in the environment, or one `ConfigInvalid` with every mistake of all three parts.
 *
 * A variable whose name is nearly one of ours is not a mistake, but is logged as a warning.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const port = Effect.map(Config.load, ({ server }) => server.port)
 *
 * @since 0.1.0
 * @category constructors
 */
export const load: Effect.Effect<Loaded, ConfigInvalid> = Effect.zipRight(
  environment.warnOfMisspelt,
  fromEnvironment((values) => everything(values, supabase.optionalFromEnvironment(values)))
)

/**
 * All three tags from the environment; a missing `SUPABASE_URL` is a mistake here.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<PoolConfig | SupabaseConfig | ServerConfig, ConfigInvalid> = oncePer(
  byEnvironment,
  () =>
    Layer.effectContext(
      Effect.zipRight(
        environment.warnOfMisspelt,
        fromEnvironment((values) => everything(values, supabase.fromEnvironment(values)))
      ).pipe(
        Effect.map((all) =>
          Context.make(PoolConfig, all.pool).pipe(
            Context.add(SupabaseConfig, all.supabase),
            Context.add(ServerConfig, all.server)
          )
        )
      )
    )
)

const configured = ([pool, supabase]: readonly [PoolOptions, SupabaseOptions]) =>
  Context.make(PoolConfig, pool).pipe(Context.add(SupabaseConfig, supabase))

/**
 * The database's address and keys and any pool options, from plain values in one object; one `ConfigInvalid` for all.
 *
 * @example
 * import { Config } from "effect-supabase-pool"
 *
 * export const layer = Config.layerOf({
 *   url: "http://127.0.0.1:54321",
 *   anonKey: "sb_publishable_1",
 *   serviceRoleKey: "sb_secret_1",
 *   maxConnections: 10
 * })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (
  input: SupabaseOptionsInput & PoolOptionsInput
): Layer.Layer<PoolConfig | SupabaseConfig, ConfigInvalid> =>
  Layer.effectContext(
    Effect.suspend(() => {
      const { anonKey, serviceRoleKey, url, ...options } = input
      const access = { url, anonKey, serviceRoleKey }
      const both = mistake.both(pool.fromInput(options), supabase.fromInput(access))
      return Either.map(checkedInput(both, supabase.secretsOf(access)), configured)
    })
  )

/**
 * Like `layerOf`, but without a service-role key: the configuration of `Db.layerRead`. It neither requires nor holds such a
 * key.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerReadOf = (
  input: Omit<SupabaseOptionsInput, "serviceRoleKey"> & PoolOptionsInput
): Layer.Layer<PoolConfig | SupabaseConfig, ConfigInvalid> =>
  Layer.effectContext(
    Effect.suspend(() => {
      const { anonKey, url, ...options } = input
      const both = mistake.both(pool.fromInput(options), supabase.readFromInput({ url, anonKey }))
      return Either.map(checkedInput(both, supabase.secretsOf({ anonKey })), configured)
    })
  )

/**
 * Like `layer`, but without a service-role key and without the server's options: the configuration of `Db.layerReadFromEnv`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerReadFromEnv: Layer.Layer<PoolConfig | SupabaseConfig, ConfigInvalid> = oncePer(byEnvironment, () =>
  Layer.effectContext(
    Effect.map(
      fromEnvironment((values) => mistake.both(pool.fromEnvironment(values), supabase.readFromEnvironment(values))),
      configured
    )
  )
)
