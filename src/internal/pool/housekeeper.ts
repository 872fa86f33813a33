/**
 * Looks at the idle leases now and then: closes what is too old or was idle for too long, pings what would otherwise be
 * closed by the other side, and keeps the minimum open.
 *
 * It runs once a second, or more often where a limit is shorter, since a server's keep-alive hint can be a few seconds.
 */
import { Duration, Effect, Exit, type Scope } from "effect"
import { forkBackground } from "../shared/asyncContext.js"
import type { Lease, Resource } from "./lease.js"
import type { ResourcePool } from "./resourcePool.js"

/** A ping that takes longer than this has failed. */
const pingLimit = Duration.seconds(5)

const longestTick = 1_000
const shortestTick = 10

/** Where a connection is closed after moments: so long (ms) after it was used it is used no more. */
const inUse = 10_000

/**
 * How long a connection may be silent: our interval, or less where the server was heard or seen to hang up sooner. The
 * margin is for the time until the next look, and for the way.
 */
export const silence = <R extends Resource>(
  { habits, options }: ResourcePool<R>,
  hint = Number.POSITIVE_INFINITY
): number => Math.min(options.keepaliveInterval, 0.7 * Math.min(habits.kept, hint))

const tickOf = <R extends Resource>(pool: ResourcePool<R>): Duration.Duration => {
  const { idleTimeout, keepaliveInterval, maxLifetime } = pool.options
  const limits = [idleTimeout, keepaliveInterval, maxLifetime].filter((limit) => limit > 0).map((limit) => limit / 2)
  if (keepaliveInterval > 0) limits.push(silence(pool) / 5)
  return Duration.millis(Math.max(shortestTick, Math.min(longestTick, ...limits)))
}

const isSilent = <R extends Resource>(pool: ResourcePool<R>, lease: Lease<R>, now: number): boolean =>
  pool.options.keepaliveInterval > 0 && now - lease.lastUsed >= silence(pool, lease.resource.keepAliveHint)

/** Why this lease has to go, or whether it is to be pinged; nothing where it is well. */
const verdict = <R extends Resource>(pool: ResourcePool<R>, lease: Lease<R>, now: number) => {
  const { idleTimeout } = pool.options
  if (!lease.resource.isOpen) return "failed"
  if (now >= lease.expiresAt) return "retired"
  const above = pool.total > pool.least
  if (above && now - lease.idleSince >= idleTimeout) return "idle-closed"
  if (!isSilent(pool, lease, now)) return undefined
  return above && pool.habits.isShort && now - lease.idleSince >= inUse ? "idle-closed" : "ping"
}

const ping = <R extends Resource>(pool: ResourcePool<R>, lease: Lease<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    // While others were pinged it may have been lent, and be back.
    if (!isSilent(pool, lease, pool.now()) || !pool.borrowForPing(lease)) return Effect.void
    return lease.resource.ping.pipe(
      Effect.timeout(pingLimit),
      Effect.onExit((exit) => Effect.sync(() => pool.returnFromPing(lease, Exit.isSuccess(exit)))),
      Effect.ignore
    )
  })

const sweep = <R extends Resource>(pool: ResourcePool<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = pool.now()
    pool.standstill.look(pool, now)
    const due: Array<Lease<R>> = []
    for (const lease of [...pool.bag.idleLeases()]) {
      const found = verdict(pool, lease, now)
      if (found === "ping") due.push(lease)
      else if (found !== undefined) pool.discard(lease, found)
    }
    pool.options.warmUp?.begin()
    pool.connector.grow()
    return Effect.forEach(due, (lease) => ping(pool, lease), { concurrency: 2, discard: true })
  })

export const run = <R extends Resource>(pool: ResourcePool<R>): Effect.Effect<void, never, Scope.Scope> =>
  sweep(pool).pipe(
    // One bad sweep must not be the last.
    Effect.catchAllCause((cause) => Effect.logError("looking after idle connections failed", cause)),
    (step) => Effect.suspend(() => Effect.delay(step, tickOf(pool))),
    Effect.forever,
    forkBackground,
    Effect.asVoid
  )
