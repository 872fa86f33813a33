/**
 * Looks at the idle leases now and then: closes what is too old or was idle for too long, pings what would otherwise be
 * closed by the other side, and keeps the minimum open.
 *
 * It runs once a second, or more often where a limit is shorter, since a server's keep-alive hint can be a few seconds.
 */
import { Duration, Effect, type Scope } from "effect"
import type { Core } from "./core.js"
import type { Lease, Resource } from "./lease.js"

/** A ping that takes longer than this has failed. */
const pingLimit = Duration.seconds(5)

const longestTick = 1_000
const shortestTick = 10

const tickOf = <R extends Resource>(core: Core<R>): Duration.Duration => {
  const { idleTimeout, keepaliveInterval, maxLifetime } = core.options
  const limits = [idleTimeout, keepaliveInterval, maxLifetime].filter((limit) => limit > 0)
  return Duration.millis(Math.max(shortestTick, Math.min(longestTick, ...limits.map((limit) => limit / 2))))
}

/** How long this lease may be silent: our interval, or less where the server says that it hangs up sooner. */
const silence = <R extends Resource>(core: Core<R>, lease: Lease<R>): number => {
  const { keepaliveInterval } = core.options
  const hint = lease.resource.keepAliveHint
  return hint === undefined ? keepaliveInterval : Math.min(keepaliveInterval, hint / 2)
}

const verdict = <R extends Resource>(core: Core<R>, lease: Lease<R>, now: number): "close" | "ping" | "keep" => {
  const { idleTimeout, keepaliveInterval, min } = core.options
  if (!lease.resource.isOpen) {
    core.discard(lease, "failed")
    return "close"
  }
  if (now >= lease.expiresAt) {
    core.discard(lease, "retired")
    return "close"
  }
  if (core.total > min && now - lease.idleSince >= idleTimeout) {
    core.discard(lease, "idle-closed")
    return "close"
  }
  return keepaliveInterval > 0 && now - lease.lastUsed >= silence(core, lease) ? "ping" : "keep"
}

const ping = <R extends Resource>(core: Core<R>, lease: Lease<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!core.borrowForPing(lease)) return Effect.void
    return lease.resource.ping.pipe(
      Effect.timeout(pingLimit),
      Effect.match({
        onSuccess: () => {
          lease.lastUsed = core.now()
        },
        onFailure: () => {
          lease.retire = true
        }
      }),
      Effect.ensuring(Effect.sync(() => core.returnFromPing(lease)))
    )
  })

const sweep = <R extends Resource>(core: Core<R>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = core.now()
    const due = [...core.bag.idleLeases()].filter((lease) => verdict(core, lease, now) === "ping")
    core.grow()
    return Effect.forEach(due, (lease) => ping(core, lease), { concurrency: 2, discard: true })
  })

export const run = <R extends Resource>(core: Core<R>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => sweep(core)).pipe(Effect.delay(tickOf(core)), Effect.forever, Effect.forkScoped, Effect.asVoid)
