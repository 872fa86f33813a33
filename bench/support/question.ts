/** What a bench asks and answers. */
import type { Effect, Scope } from "effect"
import type { BenchFailed } from "./processes.js"

/** One goal and what was measured of it. */
export interface Answer {
  readonly id: string
  readonly what: string
  readonly goal: string
  readonly measured: string
  readonly passed: boolean
  /** What `--check` compares with the committed one; the smaller the better. Never a time. */
  readonly ratio?: number
}

/** Figures behind the answers, for those who want to see them. */
export interface Table {
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

export interface Answers {
  readonly answers: ReadonlyArray<Answer>
  readonly table: Table
  readonly note: string
}

export interface Question {
  readonly name: string
  readonly asks: string
  readonly run: (progress: (line: string) => Effect.Effect<void>) => Effect.Effect<Answers, BenchFailed, Scope.Scope>
}
