/**
 * What a test has shown, for `docs/reliability.md`: the rows travel with the test's result to `scripts/reliability.ts`,
 * which writes the page or says that the page is not what the tests say. Whatever is in a row comes from the run itself or
 * from what the test asserts, and is the same in each run.
 */
import { afterEach, type TaskMeta, type TestContext } from "vitest"

export interface FaultRow {
  readonly kind: "fault"
  readonly what: string
  /** What a write fails with while the fault lasts. */
  readonly error: string
  /** How long at most, in the words of the configuration. */
  readonly atMost: string
  /** Operations that succeeded by another attempt once the fault was over. */
  readonly retried: string
  /** Executions of one plain insert and of one idempotent write, as the database counted them. */
  readonly executed: string
}

export interface PromiseRow {
  readonly kind: "promise"
  readonly section: string
  readonly what: string
}

export type Row = FaultRow | PromiseRow

declare module "vitest" {
  interface TaskMeta {
    reliability?: Array<Row>
  }
}

interface Shown {
  readonly task: { readonly meta: TaskMeta }
}

/** Call it where everything that the row says has been asserted. */
export const shows = ({ task }: Shown, row: Row): void => {
  task.meta.reliability = [...(task.meta.reliability ?? []), row]
}

/** Every test of the file that passes is a line of its own: by default in the words of its name. */
export const eachShows = (section: string, words = (task: TestContext["task"]): string => task.name): void => {
  afterEach((context) => {
    const { task } = context
    if (task.result?.state === "pass") shows(context, { kind: "promise", section, what: words(task) })
  })
}

/** For names that go on where the name of their `describe` ends. */
export const withSuite = (task: TestContext["task"]): string => `${task.suite?.name ?? ""} ${task.name}`.trim()
