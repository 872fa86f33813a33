/** Arrivals against the pool: each is begun at its time and measured from it, however many are still under way. */
import { Clock, Deferred, Effect } from "effect"
import type * as Db from "../../Db.js"
import * as Pool from "../../Pool.js"
import { precise } from "../time.js"
import { arrivals, seeded } from "./arrivals.js"
import type { PresetName, Run } from "./verdict.js"

type Services = Db.Provided | Pool.ReadPool | Pool.WritePool

export interface Load {
  readonly preset: PresetName
  readonly rate: number
  readonly carried?: number | undefined
  /** In ms. */
  readonly duration: number
  /** What the n-th caller does. */
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

export const drive = ({
  carried,
  duration,
  operation,
  preset,
  progress,
  rate
}: Load): Effect.Effect<Run, never, Services> =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const times = arrivals(seeded(1), rate, duration)
    const tally = new Tally()
    const all = yield* Deferred.make<void>()
    const began = precise(clock)
    const since = (): number => precise(clock) - began
    const one = (n: number, at: number): Effect.Effect<void, never, Services> =>
      Effect.matchCauseEffect(operation(n), {
        onSuccess: () => Effect.sync(() => tally.latencies.push(since() - at)),
        onFailure: (cause) => Effect.sync(() => tally.error(cause._tag === "Fail" ? cause.error._tag : cause._tag))
      }).pipe(
        Effect.zipRight(
          Effect.suspend(() => (tally.ended === times.length ? Deferred.succeed(all, undefined) : Effect.void))
        )
      )
    const sample = Effect.map(figures, ({ active, total }) => {
      if (total > 0 && since() < duration) tally.shares.push(active / total)
    })
    const report = Effect.flatMap(figures, ({ active, pending, total }) =>
      progress(
        `${preset}: ${(since() / 1_000).toFixed(0)} s, ${tally.begun} of ${times.length} arrived, ${tally.latencies.length} done, ${tally.failed} failed, ${active} of ${total} connections busy, ${pending} waiting`
      )
    )
    const watch = Effect.all(
      [
        Effect.forever(Effect.zipRight(Effect.sleep("20 millis"), sample)),
        Effect.forever(Effect.zipRight(Effect.sleep("1 second"), report))
      ],
      { concurrency: "unbounded" }
    )
    const arriving = Effect.gen(function* () {
      while (tally.begun < times.length) {
        for (let at = times[tally.begun]; at !== undefined && at <= since(); at = times[tally.begun]) {
          yield* Effect.fork(one(tally.begun, at))
          tally.begun += 1
        }
        yield* Effect.sleep(1)
      }
      if (times.length > 0) yield* Deferred.await(all)
    })
    yield* Effect.raceFirst(arriving, Effect.zipRight(watch, Effect.never))
    const elapsed = since()
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
