import { Effect, type Scope } from "effect"
import { median } from "./figures.js"
import type { BenchFailed, Figures, Subject } from "./processes.js"

export interface Interleaved {
  /** The median over all rounds. */
  readonly of: (name: string, figure?: string) => number
  /** The median of the rounds' own ratios: what disturbs a round disturbs both. */
  readonly ratio: (name: string, against: string, figure?: string) => number
}

/**
 * Asks each subject in turn, round after round, so that what else the machine does falls on all of them; the first, four
 * times as long, only warms up: the compiler works on what runs often for some seconds, and a server lives longer.
 */
export const interleave = (
  subjects: ReadonlyArray<Subject>,
  asked: Figures,
  rounds: number,
  progress: (line: string) => Effect.Effect<void>
): Effect.Effect<Interleaved, BenchFailed> =>
  Effect.gen(function* () {
    const seen: Array<ReadonlyMap<string, Figures>> = []
    for (let round = 0; round <= rounds; round += 1) {
      yield* progress(round === 0 ? "warming up" : `round ${round} of ${rounds}`)
      const figures = new Map<string, Figures>()
      const turn = round === 0 ? { ...asked, operations: 4 * (asked["operations"] ?? 1) } : asked
      for (const subject of subjects) figures.set(subject.name, yield* subject.ask(turn))
      if (round > 0) seen.push(figures)
    }
    return medians(seen)
  })

/** What each subject answered in each round. */
const medians = (seen: ReadonlyArray<ReadonlyMap<string, Figures>>): Interleaved => {
  const each = (name: string, figure: string): ReadonlyArray<number> =>
    seen.map((round) => round.get(name)?.[figure] ?? Number.NaN)
  return {
    of: (name, figure = "cpu") => median(each(name, figure)),
    ratio: (name, against, figure = "cpu") => {
      const others = each(against, figure)
      return median(each(name, figure).map((value, round) => value / (others[round] ?? Number.NaN)))
    }
  }
}

/** As `interleave`, but each measurement is the only one of its process: the highest memory is that of a whole life. */
export const afresh = (
  subjects: ReadonlyArray<Effect.Effect<Subject, BenchFailed, Scope.Scope>>,
  rounds: number,
  progress: (line: string) => Effect.Effect<void>
): Effect.Effect<Interleaved, BenchFailed> =>
  Effect.gen(function* () {
    const seen: Array<ReadonlyMap<string, Figures>> = []
    for (let round = 1; round <= rounds; round += 1) {
      yield* progress(`round ${round} of ${rounds}`)
      const figures = yield* Effect.forEach(subjects, (made) =>
        Effect.scoped(Effect.flatMap(made, ({ ask, name }) => Effect.map(ask({}), (found) => [name, found] as const)))
      )
      seen.push(new Map(figures))
    }
    return medians(seen)
  })
