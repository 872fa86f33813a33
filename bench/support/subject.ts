import { Effect } from "effect"

/** What a subject is, as seen in its own process. */

export type Asked = Readonly<Record<string, number>>

export type Answer = Readonly<Record<string, number>>

/** Made once; called for each measurement. */
export type Make = (...args: ReadonlyArray<string>) => Promise<(asked: Asked) => Promise<Answer>>

/** CPU of this whole process: other threads (garbage, compiler) included, since somebody pays for them too. */
export const cpuOf = async (work: () => Promise<unknown>): Promise<{ cpu: number; wall: number }> => {
  const since = performance.now()
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return { cpu: system + user, wall: performance.now() - since }
}

/** `operations` calls, by so many callers at once, each in a loop; per operation, in µs. */
export const looping =
  (operation: () => PromiseLike<unknown>): ((asked: Asked) => Promise<Answer>) =>
  async ({ callers = 1, operations = 1 }) => {
    const each = Math.ceil(operations / callers)
    const caller = async (): Promise<void> => {
      for (let n = 0; n < each; n += 1) await operation()
    }
    const { cpu, wall } = await cpuOf(() => Promise.all(Array.from({ length: callers }, caller)))
    return { cpu: cpu / (each * callers), wall: (wall * 1_000) / (each * callers) }
  }

/** Callers take turns, so that each has an item of its own as long as there are no more of them than items. */
export const inTurn = <A>(items: ReadonlyArray<A>): (() => A) => {
  let turn = 0
  return () => {
    turn = (turn + 1) % items.length
    const item = items[turn]
    if (item === undefined) throw new Error("nothing to take turns with")
    return item
  }
}

/** So many times, as a `for` loop would; `Effect.repeatN` gives way to other fibers after each, which no peer does. */
export const times = <A, E, R>(effect: Effect.Effect<A, E, R>, count: number): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let left = count
    return Effect.whileLoop({
      while: () => left > 0,
      body: () => effect,
      step: () => {
        left -= 1
      }
    })
  })

/** The same by so many fibers of one runtime. */
export const fibers =
  <R, E>(
    run: <A, F>(effect: Effect.Effect<A, F, R>) => Promise<A>,
    operation: Effect.Effect<unknown, E, R>
  ): ((asked: Asked) => Promise<Answer>) =>
  async ({ callers = 1, operations = 1 }) => {
    const each = Math.ceil(operations / callers)
    const all = Array.from({ length: callers }, () => times(Effect.asVoid(operation), each))
    const { cpu, wall } = await cpuOf(() => run(Effect.all(all, { concurrency: "unbounded", discard: true })))
    return { cpu: cpu / (each * callers), wall: (wall * 1_000) / (each * callers) }
  }
