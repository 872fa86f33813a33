/** Arrivals against the pool: each starts at its time and is measured from it, however many are still in progress. */
import { Clock, Deferred, Effect } from "effect"
import type * as Db from "../../Db.js"
import * as Pool from "../../Pool.js"
import { precise } from "../shared/time.js"
import { arrivals, seeded } from "./arrivals.js"
import type { PresetName, Run } from "./verdict.js"

type Services = Db.Provided | Pool.ReadPool | Pool.WritePool

export interface Load {
  readonly preset: PresetName
  readonly rate: number
  readonly carried?: number | undefined
  /** In ms. */
  readonly duration: number
  /** The operation of the n-th caller. */
  readonly operation: (n: number) => Effect.Effect<unknown, Db.DbError, Services>
  readonly progress: (line: string) => Effect.Effect<void>
}

const figures = Effect.gen(function* () {
  const read = yield* (yield* Pool.ReadPool).metrics
  const write = yield* (yield* Pool.WritePool).metrics
  return {
    active: read.active + write.active,
    pending: read.pending + write.pending,
    total: read.total + write.total
  }
})

class Tally {
  readonly latencies: Array<number> = []
  readonly errors: Map<string, number> = new Map()
  readonly shares: Array<number> = []
  failed = 0
  begun = 0

  get ended(): number {
    return this.latencies.length + this.failed
  }

  error(name: string): void {
    this.failed += 1
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1)
  }
}

/** The parameters of one run. */
interface Course {
  /** When each caller arrives, in ms from the beginning. */
  readonly times: ReadonlyArray<number>
  readonly tally: Tally
  /** Ms from the beginning. */
  readonly now: () => number
}

/** Starts each operation at its time, and ends when all have ended. */
const arriving = ({ operation }: Load, { now, tally, times }: Course): Effect.Effect<void, never, Services> =>
  Effect.gen(function* () {
    const all = yield* Deferred.make<void>()
    const ended = Effect.suspend(() => (tally.ended === times.length ? Deferred.succeed(all, undefined) : Effect.void))
    const one = (n: number, at: number): Effect.Effect<void, never, Services> =>
      Effect.matchCauseEffect(operation(n), {
        onSuccess: () => Effect.sync(() => tally.latencies.push(now() - at)),
        onFailure: (cause) => Effect.sync(() => tally.error(cause._tag === "Fail" ? cause.error._tag : cause._tag))
      }).pipe(Effect.zipRight(ended))
    while (tally.begun < times.length) {
      for (let at = times[tally.begun]; at !== undefined && at <= now(); at = times[tally.begun]) {
        yield* Effect.fork(one(tally.begun, at))
        tally.begun += 1
      }
      yield* Effect.sleep(1)
    }
    if (times.length > 0) yield* Deferred.await(all)
  })

/** Samples how busy the pools are while callers arrive, and reports progress, until it is interrupted. */
const watching = ({ duration, preset, progress }: Load, { now, tally, times }: Course) => {
  const sample = Effect.map(figures, ({ active, total }) => {
    if (total > 0 && now() < duration) tally.shares.push(active / total)
  })
  const report = Effect.flatMap(figures, ({ active, pending, total }) =>
    progress(
      `${preset}: ${(now() / 1_000).toFixed(0)} s, ${tally.begun} of ${times.length} arrived, ${tally.latencies.length} done, ${tally.failed} failed, ${active} of ${total} connections busy, ${pending} waiting`
    )
  )
  return Effect.raceFirst(
    Effect.forever(Effect.delay(sample, "20 millis")),
    Effect.forever(Effect.delay(report, "1 second"))
  )
}

export const drive = (load: Load): Effect.Effect<Run, never, Services> =>
  Effect.gen(function* () {
    const { carried, duration, preset, rate } = load
    const clock = yield* Clock.clockWith(Effect.succeed)
    const times = arrivals(seeded(1), rate, duration)
    const tally = new Tally()
    const began = precise(clock)
    const course: Course = { times, tally, now: () => precise(clock) - began }
    yield* Effect.raceFirst(arriving(load, course), watching(load, course))
    const elapsed = course.now()
    const { active, pending } = yield* figures
    return {
      preset,
      rate,
      carried,
      arrived: times.length,
      latencies: tally.latencies,
      failed: tally.failed,
      errors: Object.fromEntries(tally.errors),
      elapsed,
      utilization: tally.shares.reduce((sum, share) => sum + share, 0) / Math.max(1, tally.shares.length),
      unreturned: active + pending
    }
  })
