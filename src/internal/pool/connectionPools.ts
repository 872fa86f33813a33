/** The two pools as their users have them, made of the resource pools that do the work. */
import { Context, Effect, Layer, Option, type Scope, Stream } from "effect"
import type * as Audit from "../../Audit.js"
import type { Connection } from "../../Connection.js"
import type { ConnectionPool } from "../../Pool.js"
import type { PooledConnection } from "../connection/pooledConnection.js"
import { type Identities, tokenOf } from "../db/identity.js"
import { sourceOf } from "../db/tokenSource.js"
import * as PoolInstruments from "../metrics/poolInstruments.js"
import { AsyncContext } from "../shared/asyncContext.js"
import { ConnectionAs } from "./connectionAs.js"
import { DatabaseName } from "./databaseName.js"
import { metricsOf } from "./poolMetrics.js"
import { ReadWritePools } from "./readWritePools.js"
import type { ResourcePool } from "./resourcePool.js"
import { ReadPool, WritePool } from "./tags.js"

const eventBuffer = 4_096

const heardBy = (listeners: Set<(event: Audit.ConnectionEvent) => void>): Stream.Stream<Audit.ConnectionEvent> =>
  Stream.asyncPush(
    (emit) => {
      const context = new AsyncContext()
      const listener = (event: Audit.ConnectionEvent): void => void context.run(() => emit.single(event))
      return Effect.acquireRelease(
        Effect.sync(() => listeners.add(listener)),
        () => Effect.sync(() => listeners.delete(listener))
      )
    },
    { bufferSize: eventBuffer, strategy: "sliding" }
  )

const connectionPool = (
  pool: ResourcePool<PooledConnection>,
  identities: Identities,
  name: string | undefined
): ConnectionPool => {
  const forCaller = (connection: PooledConnection): Effect.Effect<Connection> =>
    Effect.flatMap(tokenOf(name), (token): Effect.Effect<Connection> => {
      if (Option.isNone(token)) return Effect.succeed(connection)
      const source = sourceOf(token.value)
      // Only the Promise API has functions for tokens, and it rejects with a defect as with an error.
      const given = source === undefined ? Effect.succeed(token.value) : Effect.orDie(source.now)
      return Effect.map(given, (user) => new ConnectionAs(connection, identities.userOf(user)))
    })
  return {
    connection: Effect.flatMap(pool.scoped, forCaller),
    use: (f) => pool.use((connection) => Effect.flatMap(forCaller(connection), f)),
    metrics: Effect.sync(() => metricsOf(pool)),
    events: heardBy(pool.statistics.listeners),
    lifecycle: heardBy(pool.statistics.watchers),
    reset: pool.reset
  }
}

/** In Effect's metric registry, while the pool is open. */
const show = (pool: ResourcePool<PooledConnection>): Effect.Effect<void, never, Scope.Scope> => {
  const { mode, origin, periods } = pool.options
  return periods === undefined ? Effect.void : PoolInstruments.show(mode, origin, () => metricsOf(pool))
}

/** The two tags for resource pools that something else made. */
export const make: Effect.Effect<
  Context.Context<ReadPool | WritePool>,
  never,
  ReadWritePools | Scope.Scope
> = Effect.gen(function* () {
  const { identities, read, write } = yield* ReadWritePools
  yield* show(read)
  if (write !== read) yield* show(write)
  const { name } = yield* DatabaseName
  return Context.make(ReadPool, connectionPool(read, identities, name)).pipe(
    Context.add(WritePool, connectionPool(write, identities, name))
  )
})

export const layer: Layer.Layer<ReadPool | WritePool, never, ReadWritePools> = Layer.scopedContext(make)
