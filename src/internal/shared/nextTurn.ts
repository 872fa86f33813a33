/** Long work in parts: what else the process has to do goes on between two of them. */
import { Effect } from "effect"
import { realTime } from "./timers.js"

/** Resolves when sockets and timers have had their turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => realTime.setImmediate(resolve))

const turn: Effect.Effect<void> = Effect.async((resume) => {
  realTime.setImmediate(() => resume(Effect.void))
})

/** In their order, each as long as said; the last has the rest. */
export const partsOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, nth) => all.slice(nth * size, (nth + 1) * size))

/** So many rows are worked on in a turn: some milliseconds. */
const atOnce = 1_000

/** What a function makes of many things, some of them in each turn. */
export const inTurns = <A, B, E, R>(
  all: ReadonlyArray<A>,
  f: (some: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E, R>
): Effect.Effect<ReadonlyArray<B>, E, R> =>
  all.length <= atOnce
    ? f(all)
    : Effect.map(
        Effect.forEach(partsOf(all, atOnce), (part, nth) => (nth === 0 ? f(part) : Effect.zipRight(turn, f(part)))),
        (made) => made.flat()
      )
