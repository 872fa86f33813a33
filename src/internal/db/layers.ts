/** How a database is built: from what, how often, and what of it is whose. */
import { Clock, type ConfigError, Context, Effect, Config as EffectConfig, Layer, Option, type Scope } from "effect"
import * as Config from "../../Config.js"
import * as Metrics from "../../Metrics.js"
import * as Pool from "../../Pool.js"
import * as RateLimit from "../../RateLimit.js"
import { type Handler, HandlerTransport } from "../connection/handlerTransport.js"
import * as ConnectionPools from "../pool/connectionPools.js"
import * as ReadWritePools from "../pool/readWritePools.js"
import { layerDefault } from "../rateLimit/layerDefault.js"
import { type Surrounding, together } from "../shared/oncePer.js"
import { Db, ReadDb } from "./database.js"
import { Operations } from "./operationContext.js"
import * as Service from "./service.js"

/**
 * Everything that `Db.layer` provides.
 *
 * @since 0.1.0
 * @category models
 */
export type Provided = ReadDb | Db | Pool.ReadPool | Pool.WritePool | Metrics.Metrics | RateLimit.RateLimit

type Configured = Config.PoolConfig | Config.SupabaseConfig

const servicesOf = (operations: Context.Tag.Service<Operations>): Context.Context<ReadDb | Db> => {
  const service = Service.make(operations)
  return Context.make(ReadDb, service).pipe(Context.add(Db, service))
}

const services: Layer.Layer<ReadDb | Db, never, Operations> = Layer.effectContext(Effect.map(Operations, servicesOf))

const over = <E, R>(
  pools: Layer.Layer<ReadWritePools.ReadWritePools, E, R>
): Layer.Layer<Provided, E, R | Configured> =>
  Layer.mergeAll(services, ConnectionPools.layer).pipe(
    Layer.provide(Operations.layer),
    Layer.provideMerge(Layer.merge(Metrics.layer, layerDefault)),
    Layer.provide(pools)
  )

/**
 * Layers are shared by reference within a graph, and those that a database is made of are everybody's. So they are built
 * apart, and each call is a database of its own; the one that is used twice is still one.
 */
export const ownParts = <A, E, R>(parts: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      return yield* Layer.buildWithMemoMap(parts, yield* Layer.makeMemoMap, yield* Effect.scope)
    })
  )

/** By the two configurations. */
export const byConfig = (): ((surrounding: Surrounding) => object | undefined) => {
  const keyOf = together()
  return ({ context }) => {
    const both = Option.all([
      Context.getOption(context, Config.PoolConfig),
      Context.getOption(context, Config.SupabaseConfig)
    ])
    return Option.getOrUndefined(Option.map(both, ([pool, supabase]) => keyOf(pool, supabase)))
  }
}

export const sockets: Layer.Layer<Provided, never, Configured> = over(ReadWritePools.layer)

/**
 * The same with what it stands on, in one step: a layer for each part takes longer to build than all parts together, which
 * a process feels that was started for one query. A rate limit of the caller's own is not looked for.
 */
export const built: Effect.Effect<Context.Context<Provided | Operations>, never, Configured | Scope.Scope> = Effect.gen(
  function* () {
    const parts = Context.merge(yield* Layer.build(Metrics.layer), yield* Layer.build(RateLimit.layer)).pipe(
      Context.add(ReadWritePools.ReadWritePools, yield* ReadWritePools.make)
    )
    const operations = yield* Effect.provide(Operations.make, parts)
    const pools = yield* Effect.provide(ConnectionPools.make, parts)
    return Context.mergeAll(parts, pools, servicesOf(operations), Context.make(Operations, operations))
  }
)

/**
 * Everything that `Db.layerRead` provides.
 *
 * @since 0.1.0
 * @category models
 */
export type ProvidedRead = ReadDb | Pool.ReadPool | Metrics.Metrics | RateLimit.RateLimit

export const reading: Layer.Layer<ProvidedRead, never, Configured> = Layer.map(
  over(ReadWritePools.layerRead),
  Context.pick(ReadDb, Pool.ReadPool, Metrics.Metrics, RateLimit.RateLimit)
)

/** Nobody is there: nothing is sent. */
const testDatabase = { url: "http://db.test", anonKey: "test-anon-key", serviceRoleKey: "test-service-role-key" }

export const handled = <R>(
  handler: Handler<R>,
  options: Config.PoolOptionsInput
): Layer.Layer<Provided, Config.ConfigInvalid, R> =>
  over(
    Layer.unwrapEffect(
      Effect.map(Effect.runtime<R>(), (runtime) =>
        ReadWritePools.layerCarriedBy((mode, { origin }, { maxAnswer, requestTimeout }) => {
          const options = { mode, origin, handler, runtime, requestTimeout, maxAnswer }
          return Clock.clockWith((clock) =>
            Effect.succeed({ makeTransport: () => new HandlerTransport({ ...options, clock }) })
          )
        })
      )
    )
  ).pipe(Layer.provide(Config.layerOf({ ...testDatabase, ...options })))

/** Of what a `Config` gives, with whatever is wrong as Effect has it. */
export const configured = <Options, A>(
  config: EffectConfig.Config.Wrap<Options>,
  layerOf: (options: Options) => Layer.Layer<A, Config.ConfigInvalid>
): Layer.Layer<A, ConfigError.ConfigError> =>
  ownParts(
    Layer.unwrapEffect(
      Effect.map(EffectConfig.unwrap(config), (options) =>
        Layer.mapError(layerOf(options), ({ configError }) => configError)
      )
    )
  )
