/**
 * Happy eyeballs (RFC 8305): the addresses of a host are tried one after the other, each a while after the one before it, or
 * as soon as that has failed, and the first that connects is taken.
 *
 * Node has this too, but gives an address up when it begins the next, after 250 ms. So a host across the world is reached by
 * its last address only; and where each has longer, an address that is dead costs as much.
 */
import * as Dns from "node:dns"
import * as Net from "node:net"
import { Cause, Deferred, Duration, Effect, Option } from "effect"

/** RFC 8305 §5, "Connection Attempt Delay". */
export const attemptDelay: Duration.Duration = Duration.millis(250)

/** The families take turns, the one that the resolver prefers first (RFC 8305 §4), so that a dead one costs one delay. */
export const interleaved = (addresses: ReadonlyArray<string>): ReadonlyArray<string> => {
  const family = Net.isIP(addresses[0] ?? "")
  const preferred = addresses.filter((address) => Net.isIP(address) === family)
  const others = addresses.filter((address) => Net.isIP(address) !== family)
  const pairs = preferred.flatMap((address, index) => [address, ...others.slice(index, index + 1)])
  return [...pairs, ...others.slice(preferred.length)]
}

/** The addresses of a name, or an address itself. Asking cannot be taken back, so whoever leaves is only not told. */
export const addressesOf = (host: string): Effect.Effect<ReadonlyArray<string>, Error> =>
  Net.isIP(host) !== 0
    ? Effect.succeed([host])
    : Effect.async((resume) => {
        Dns.lookup(host, { all: true }, (error, found) => {
          if (error !== null) resume(Effect.fail(error))
          else resume(Effect.succeed(interleaved(found.map(({ address }) => address))))
        })
      })

/** None is given up before one succeeds. Where all fail, it is with the error of the first. */
export const firstOf = <A, E>(attempts: ReadonlyArray<Effect.Effect<A, E>>): Effect.Effect<A, E> => {
  const [first, ...others] = attempts
  if (first === undefined) return Effect.dieMessage("a name without an address is an error of the resolver's")
  if (others.length === 0) return first
  return Effect.flatMap(Deferred.make<void>(), (failed) => {
    const begun = Effect.tapErrorCause(first, () => Deferred.succeed(failed, undefined))
    const next = Effect.timeoutOption(Deferred.await(failed), attemptDelay).pipe(Effect.zipRight(firstOf(others)))
    return Effect.catchAllCause(Effect.race(begun, next), (cause) =>
      Option.match(Cause.failureOption(cause), { onNone: () => Effect.failCause(cause), onSome: Effect.fail })
    )
  })
}
