/** What follows from a server's closing a connection: for the memory of its habits, and for whether connecting works. */
import { Effect } from "effect"
import type { Connector } from "./connector.js"
import type { Lease, Resource } from "./lease.js"
import type { PoolStatistics } from "./poolStatistics.js"
import type { Habits } from "./serverHabits.js"

/**
 * A socket that the other side closes sooner than this (ms) after it was opened, unused, was never a connection: so do
 * proxies with nobody behind them. After its first answer that is how a server closes that keeps no connections.
 */
const atOnce = 250

/** Why a connection ended whose answer said so. */
export const asSaid = "closed by the server, as it said"

/** Code of what was sent behind a HEAD, and met the body that the server gave to that. */
export const bodyAfterHead = "BODY_AFTER_HEAD"

interface Pool<R extends Resource> {
  readonly options: { readonly max: number }
  readonly bag: { readonly pending: number }
  readonly habits: Habits
  readonly statistics: PoolStatistics
  readonly connector: Connector<R>
  now(): number
  fork(effect: Effect.Effect<void>): void
  returnFromPing(lease: Lease<R>, answered: boolean): void
  discard(lease: Lease<R>, why: "failed", reason: string): void
}

const closedOnce = <R extends Resource>(pool: Pool<R>, how: "with" | "after"): void => {
  if (pool.habits.closedOnce(how)) pool.fork(pool.statistics.logClosesEach())
}

/** A server that keeps no connections closes with its answer, and says so, or without a word when the next is on its way. */
export const whileLent = <R extends Resource>(pool: Pool<R>, { answers, resource }: Lease<R>): void => {
  const { ending = "" } = resource
  if (answers === 0 && ending === asSaid) closedOnce(pool, "with")
  if (answers === 1 && ending.startsWith("closed")) closedOnce(pool, "after")
}

/** While nobody had it. */
export const whileIdle = <R extends Resource>(pool: Pool<R>, lease: Lease<R>): void => {
  const now = pool.now()
  if (lease.answers === 0 && !lease.used && now - lease.openedAt < atOnce) {
    pool.connector.failed(lease.resource.refused ?? pool.connector.failure("closed", "ECONNRESET"))
    return
  }
  pool.habits.closedIdle(now - lease.lastUsed, now)
  if (pool.habits.watched === lease) pool.habits.watched = undefined
  if (lease.answers === 1 && now - lease.lastUsed < atOnce) closedOnce(pool, "after")
}

/** Whether one that came back may be lent again. */
export const mayBeLentAgain = <R extends Resource>({ habits }: Pool<R>, lease: Lease<R>): boolean => {
  lease.answers += 1
  habits.answered(lease.answers, lease.resource.keepAliveHint)
  return !habits.closesEach
}

/** Where it may not, it ends. One at a time is left to the server: should it keep that one, its habits have changed. */
export const endOrWatch = <R extends Resource>(pool: Pool<R>, lease: Lease<R>): void => {
  const { habits } = pool
  if (habits.watched !== undefined || (pool.options.max === 1 && pool.bag.pending > 0)) {
    pool.discard(lease, "failed", "the server would close it")
    return
  }
  habits.watched = lease
  lease.state = "pinging"
  const look = Effect.sync(() => {
    if (habits.watched !== lease) return
    habits.watched = undefined
    pool.returnFromPing(lease, lease.resource.isOpen)
  })
  pool.fork(Effect.delay(look, atOnce))
}
