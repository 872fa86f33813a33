import { Deferred, Effect } from "effect"

/** Callers who know nothing of each other: a fiber each, all begun before one has ended. */
export const together = <A, E, R>(
  callers: number,
  one: (n: number) => Effect.Effect<A, E, R>
): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    const all = yield* Deferred.make<void>()
    let left = callers
    const done = Effect.suspend(() => {
      left -= 1
      return left === 0 ? Deferred.succeed(all, undefined) : Effect.void
    })
    for (let n = 0; n < callers; n += 1) yield* Effect.forkDaemon(Effect.ensuring(one(n), done))
    yield* Deferred.await(all)
  })
