import process from "node:process"
import { Effect, Option } from "effect"
import { collect } from "../../test/support/garbage.js"

/** In MB, with nothing left that could be collected. */
export const heap = Effect.sync(() => {
  collect()
  collect()
  return process.memoryUsage().heapUsed / 1_048_576
})

/** One every five seconds, in MB. */
const samples: Array<number> = []

/**
 * From the second minute to the last, each at its lowest: single samples differ by what is under way, and by the
 * connections that ended in the last minute, of which Effect's `Pool` remembers 1 KB each (`test/faults/leaks.test.ts`).
 */
export const growth = (): Option.Option<number> => {
  const perMinute = 12
  if (samples.length < 4 * perMinute) return Option.none()
  return Option.some(Math.min(...samples.slice(-perMinute)) - Math.min(...samples.slice(perMinute, 2 * perMinute)))
}

export const sampling: Effect.Effect<never> = Effect.forever(
  Effect.delay(
    Effect.map(heap, (megabytes) => samples.push(megabytes)),
    "5 seconds"
  )
)
