import { Cause, type Clock, Context, Duration, Effect, Layer, Option, type Redacted, Runtime, type Scope } from "effect"
import { PoolConfig, type PoolOptions, type PoolSize, poolSizes, SupabaseConfig } from "../../Config.js"
import type { Mode } from "../../Errors.js"
import { type Listener, Listeners } from "../audit/listeners.js"
import { plainHttp } from "../config/supabase.js"
import { target } from "../connection/connect.js"
import { platformFetch } from "../connection/platformFetch.js"
import {
  type ConnectionOptions,
  make as makeConnection,
  type PooledConnection
} from "../connection/pooledConnection.js"
import { proxyTo } from "../connection/proxy.js"
import { SocketFetch } from "../connection/socketFetch.js"
import type { MakeTransport, Spare } from "../connection/transport.js"
import { secureContext } from "../connection/trust.js"
import { Identities } from "../db/identity.js"
import * as PoolInstruments from "../metrics/poolInstruments.js"
import { inNone } from "../shared/asyncContext.js"
import { AwakeClock } from "../shared/awakeClock.js"
import * as Deadlines from "../shared/deadlines.js"
import { type Lease, nobody } from "./lease.js"
import { ResourcePool } from "./resourcePool.js"
import { WarmUp } from "./warmUp.js"

export type DatabasePool = ResourcePool<PooledConnection>

export type ConnectionLease = Lease<PooledConnection>

/** The two pools as operations see them. Users see `ReadPool` and `WritePool`. */
export class ReadWritePools extends Context.Tag("effect-supabase-pool/internal/ReadWritePools")<
  ReadWritePools,
  {
    readonly read: DatabasePool
    readonly write: DatabasePool
    readonly identities: Identities
    /** What limits are measured by. */
    readonly clock: Clock.Clock
    /** Whether a server answers, and no handler of a spec, nor what stands in the place of `fetch` there. */
    readonly overSockets: boolean
  }
>() {}

/** How the connections of a pool carry their requests, and the proxy on their way, without its login. */
interface Carried {
  readonly makeTransport: MakeTransport
  readonly proxy?: string | undefined
}

export type Carrier = (mode: Mode, url: URL, options: PoolOptions) => Effect.Effect<Carried, never, Scope.Scope>

/** Sockets of our own, which are all that the pool's promises of sockets are about. */
const sockets: Carrier = (mode, url, options) =>
  Effect.gen(function* () {
    const { compression, maxAnswer, requestTimeout } = options
    const deadlines = yield* Deadlines.make(requestTimeout)
    const answered = { longest: 0 }
    const proxy = yield* proxyTo(url, options.proxy)
    const to = target(mode, url, { proxy, secureContext: yield* secureContext(options) })
    return {
      makeTransport: (onClose, spare) =>
        new SocketFetch({ target: to, requestTimeout, maxAnswer, compression, deadlines, answered, onClose, spare }),
      proxy: typeof proxy === "object" ? proxy.url.origin : undefined
    }
  })

const configured: Carrier = (mode, url, options) =>
  options.transport === "fetch" ? platformFetch(mode, url, options) : sockets(mode, url, options)

/** What the pools of a database have together. */
interface Shared {
  readonly listeners: ReadonlyArray<Listener>
  readonly warmUp: WarmUp
}

const makePool = (
  size: PoolSize,
  options: PoolOptions,
  shared: Shared,
  connection: Omit<ConnectionOptions, "onClose" | "spare">,
  proxy: string | undefined
): Effect.Effect<DatabasePool, never, Scope.Scope> => {
  let pool: DatabasePool | undefined
  const spare = (borrower: PooledConnection): Spare | undefined =>
    pool === undefined ? undefined : spareOf(pool, borrower)
  const made = ResourcePool.make({
    mode: connection.mode,
    origin: new URL(connection.url).origin,
    proxy,
    min: size.min,
    max: size.max,
    maxPending: options.maxPending,
    adaptive: options.adaptive,
    connectionTimeout: options.connectionTimeout,
    leakDetectionTimeout: options.leakDetectionTimeout,
    idleTimeout: Duration.toMillis(options.idleTimeout),
    maxLifetime: Duration.toMillis(options.maxLifetime),
    keepaliveInterval: Duration.toMillis(options.keepaliveInterval),
    shutdownTimeout: options.shutdownTimeout,
    periods: options.enableMetrics
      ? PoolInstruments.periods(connection.mode, new URL(connection.url).origin)
      : undefined,
    ...shared,
    acquire: (onClose: (resource: PooledConnection) => void) => makeConnection({ ...connection, onClose, spare })
  })
  return Effect.tap(made, (it) => {
    pool = it
  })
}

/**
 * An idle connection for who holds `borrower`, lent in its name. Nobody waits while one is idle, so that nobody is overtaken; and
 * who finds none goes on with what it has, so that none waits for another who waits.
 */
const spareOf = (pool: DatabasePool, borrower: PooledConnection): Spare | undefined => {
  const lease = pool.takeIdle(nobody)
  if (lease === undefined) return undefined
  lease.holder = pool.leases.get(borrower)?.holder
  return {
    transport: lease.resource.transport,
    giveBack: () => {
      const late = pool.takeBack(lease)
      if (late !== undefined) pool.fork(late)
    }
  }
}

/** One that throws is not felt by the pool, and is heard of once. */
const guarded =
  (listener: Listener, report: (thrown: unknown) => void): Listener =>
  (event) => {
    try {
      listener(event)
    } catch (thrown) {
      report(thrown)
    }
  }

const sharedByPools: Effect.Effect<Shared> = Effect.gen(function* () {
  const report = Runtime.runFork(yield* Effect.runtime<never>())
  const listeners = (yield* Listeners).map((listener) => {
    let reported = false
    return guarded(listener, (thrown) => {
      if (reported) return
      reported = true
      inNone(() => report(Effect.logError("a listener to connection events failed", Cause.die(thrown))))
    })
  })
  return { listeners, warmUp: new WarmUp() }
})

/** In a moment: whoever built the pools for an operation asks at once. */
const beginWarmUp = ({ fork }: DatabasePool, { warmUp }: Shared): void =>
  fork(Effect.sync(() => warmUp.beginUnlessAsked()))

const pools = (carrier: Carrier, isHandler = false) =>
  Effect.gen(function* () {
    const options = yield* PoolConfig
    const { anonKey, serviceRoleKey, url } = yield* SupabaseConfig
    const sizes = poolSizes(options)
    const shared = yield* sharedByPools
    const build = (mode: Mode, size: PoolSize, key: Redacted.Redacted) =>
      Effect.flatMap(carrier(mode, new URL(url), options), ({ makeTransport, proxy }) =>
        makePool(size, options, shared, { mode, url, credentials: { key, token: key }, makeTransport }, proxy)
      )
    // Closed side by side, so that shutting down takes the longer of the two drains and not their sum.
    const [read, write] = yield* Effect.parallelFinalizers(
      Effect.all([
        Effect.sequentialFinalizers(build("read", sizes.read, anonKey)),
        Effect.sequentialFinalizers(build("write", sizes.write, serviceRoleKey))
      ])
    )
    beginWarmUp(read, shared)
    const overSockets = !isHandler && options.transport === "sockets"
    return { read, write, identities: new Identities(anonKey, serviceRoleKey), overSockets }
  })

/** All connections read, and there is no other key. Nobody is given a way to the other pool. */
const readPool = Effect.gen(function* () {
  const options = yield* PoolConfig
  const { anonKey, url } = yield* SupabaseConfig
  const shared = yield* sharedByPools
  const { makeTransport, proxy } = yield* configured("read", new URL(url), options)
  const size = { min: options.minConnections, max: options.maxConnections }
  const credentials = { key: anonKey, token: anonKey }
  const read = yield* makePool(size, options, shared, { mode: "read", url, credentials, makeTransport }, proxy)
  beginWarmUp(read, shared)
  const overSockets = options.transport === "sockets"
  return { read, write: read, identities: new Identities(anonKey, anonKey), overSockets }
})

/** What waits in there, waits by that clock. */
const awake = <A extends object, E, R>(made: Effect.Effect<A, E, R>) =>
  Effect.flatMap(AwakeClock.make, (clock) =>
    Effect.map(Effect.withClock(made, clock), (parts) => ({ ...parts, clock }))
  )

const warnOfPlainHttp: Effect.Effect<void, never, SupabaseConfig> = Effect.flatMap(SupabaseConfig, ({ url }) =>
  Option.match(plainHttp(url), {
    onNone: () => Effect.void,
    onSome: ({ problem, remedy }) => Effect.logWarning(`${problem}. To fix it, ${remedy}.`)
  })
)

export const make: Effect.Effect<
  Context.Tag.Service<ReadWritePools>,
  never,
  PoolConfig | SupabaseConfig | Scope.Scope
> = Effect.zipRight(warnOfPlainHttp, awake(pools(configured)))

export const layer: Layer.Layer<ReadWritePools, never, PoolConfig | SupabaseConfig> = Layer.scoped(ReadWritePools, make)

export const layerRead: Layer.Layer<ReadWritePools, never, PoolConfig | SupabaseConfig> = Layer.scoped(
  ReadWritePools,
  Effect.zipRight(warnOfPlainHttp, awake(readPool))
)

/** The same pools, with every request carried by something else. */
export const layerCarriedBy = (carrier: Carrier): Layer.Layer<ReadWritePools, never, PoolConfig | SupabaseConfig> =>
  Layer.scoped(ReadWritePools, awake(pools(carrier, true)))
