/** What the Promise API runs on, from the environment or from values. */
import { ConfigProvider, Context, Effect, Layer, Logger } from "effect"
import * as Config from "../../Config.js"
import type * as Db from "../../Db.js"
import * as Health from "../../Health.js"
import { debugLog } from "../audit/debugLog.js"
import { built } from "../db/layers.js"
import type { Operations } from "../db/operationContext.js"
import { BackgroundClock } from "./clock.js"
import type { PoolOptions, SupabaseOptions } from "./options.js"

export type Services = Db.Provided | Operations | Health.Health | Config.SupabaseConfig

const services: Layer.Layer<
  Exclude<Services, Config.SupabaseConfig>,
  never,
  Config.PoolConfig | Config.SupabaseConfig
> = Layer.scopedContext(
  Effect.gen(function* () {
    const database = yield* built
    return Context.merge(database, yield* Effect.provide(Layer.build(Health.layer), database))
  })
)

const logLevel: Layer.Layer<never, never, Config.ServerConfig> = Layer.unwrapEffect(
  Effect.map(Config.ServerConfig, ({ logLevel }) => Logger.minimumLogLevel(logLevel))
)

const inBackground = <A>(layer: Layer.Layer<A, Config.ConfigInvalid>): Layer.Layer<A, Config.ConfigInvalid> =>
  Layer.provideMerge(
    layer,
    Layer.suspend(() => Layer.setClock(new BackgroundClock()))
  )

const over = (
  config: Layer.Layer<Config.PoolConfig | Config.SupabaseConfig, Config.ConfigInvalid>
): Layer.Layer<Services, Config.ConfigInvalid> => inBackground(Layer.provideMerge(services, config))

/** Reads the environment when it is built, and not before. `LOG_LEVEL` is heeded too. */
export const fromEnvironment: Layer.Layer<Services, Config.ConfigInvalid> = inBackground(
  debugLog.pipe(Layer.provideMerge(services), Layer.provideMerge(logLevel), Layer.provideMerge(Config.layer))
)

/** Stand where keys would, and are sent to nobody. */
const noKeys = new Map([
  ["SUPABASE_ANON_KEY", "no-anon-key-was-given"],
  ["SUPABASE_SERVICE_ROLE_KEY", "no-service-role-key-was-given"]
])

/**
 * For requests that bring their own keys: those of the environment may be missing, and its address where `url` is given.
 * Nobody checks the database in the background, which would take a key.
 */
export const withoutKeys = (url?: string): Layer.Layer<Services, Config.ConfigInvalid> =>
  Layer.unwrapEffect(
    Effect.configProviderWith((provider) => {
      const given = new Map([
        ["DB_POOL_ENABLE_HEALTH_CHECKS", "false"],
        ...(url === undefined ? [] : [["SUPABASE_URL", url] as const, ...noKeys])
      ])
      const provided = ConfigProvider.fromMap(given).pipe(
        ConfigProvider.orElse(() => provider),
        ConfigProvider.orElse(() => ConfigProvider.fromMap(noKeys))
      )
      return Effect.succeed(Layer.provide(fromEnvironment, Layer.setConfigProvider(provided)))
    })
  )

/** Where the environment says that the project is; undefined where it does not, or not clearly. */
export const addressInEnvironment: Effect.Effect<string | undefined> = Effect.configProviderWith((provider) =>
  Effect.map(Config.SupabaseConfig, ({ url }) => url).pipe(
    Effect.provide(Config.SupabaseConfig.layer),
    Effect.withConfigProvider(ConfigProvider.orElse(provider, () => ConfigProvider.fromMap(noKeys))),
    Effect.orElseSucceed(() => undefined)
  )
)

/**
 * What a pool is told, in the words of the guide: durations are milliseconds, or have a unit. Without an address and keys
 * the database is the environment's.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolInput extends PoolOptions, Partial<SupabaseOptions> {}

/** The production preset with these options. */
export const fromOptions = (input: PoolInput): Layer.Layer<Services, Config.ConfigInvalid> => {
  const { anonKey, serviceRoleKey, url, ...options } = input
  const named = url !== undefined || anonKey !== undefined || serviceRoleKey !== undefined
  return over(
    named
      ? // What is missing of the three is named by the check.
        Config.layerOf({ ...options, url: url ?? "", anonKey: anonKey ?? "", serviceRoleKey: serviceRoleKey ?? "" })
      : Layer.merge(Config.PoolConfig.layerOf(options), Config.SupabaseConfig.layer)
  )
}
