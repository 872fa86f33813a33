/** Operations that begin when their time has come, whatever became of the others, and what is found of them afterwards. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Database } from "./database.js"
import type { Kind, Opened, Told } from "./subjects.js"

export interface Ended {
  readonly id: string
  readonly kind: Kind
  readonly at: number
  readonly told: Told
}

/** Half reads. All but plain inserts may be repeated. */
const kinds = ["read", "insert", "read", "idempotent", "read", "insert", "read", "transaction"] as const

let ids = 0

export const one = async ({ run }: Opened, kind: Kind): Promise<Ended> => {
  const id = `${kind}-${++ids}`
  const told = await run(kind, id)
  return { id, kind, told, at: performance.now() }
}

const perSecond = 200

/** An open loop. What it gives ends it. */
export const load = (opened: Opened) => {
  const started: Array<Promise<Ended>> = []
  let stopped = false
  const begin = performance.now()
  const arrivals = (async () => {
    while (!stopped) {
      const due = ((performance.now() - begin) * perSecond) / 1_000
      while (started.length < due) started.push(one(opened, kinds[started.length % kinds.length] ?? "read"))
      await sleep(1_000 / perSecond)
    }
  })()
  return async (): Promise<ReadonlyArray<Ended>> => {
    stopped = true
    await arrivals
    return Promise.all(started)
  }
}

export interface Row {
  readonly what: string
  readonly who: string
  readonly operations: number
  readonly failed: number
  readonly repeatable: number
  /** Said that nothing was executed, and it was. Nothing where nothing was said. */
  readonly mislabelled: number | undefined
  readonly doubled: number
  readonly lost: number
  /** In ms after it was ready, each time. */
  readonly first: ReadonlyArray<number>
}

export const judged = (
  what: string,
  who: string,
  database: Database,
  ended: ReadonlyArray<Ended>,
  ready: ReadonlyArray<number>
): Row => {
  const failed = ended.filter(({ told }) => !told.isSuccess)
  const labelled = failed.filter(({ kind, told }) => kind === "read" || told.executed !== "silent")
  const once = ended.filter(({ kind }) => kind === "insert" || kind === "transaction")
  for (const word of new Set(failed.map(({ kind, told }) => `${kind}: ${told.words.slice(0, 160)}`))) {
    process.stderr.write(`${what}, ${who}: ${word}\n`)
  }
  return {
    what,
    who,
    operations: ended.length,
    failed: failed.length,
    repeatable: failed.filter(({ kind }) => kind !== "insert").length,
    mislabelled:
      labelled.length < failed.length
        ? undefined
        : failed.filter(({ id, told }) => told.executed === "not" && database.timesOf(id) > 0).length,
    doubled: once.filter(({ id }) => database.timesOf(id) > 1).length,
    lost: ended.filter(({ id, kind, told }) => kind !== "read" && told.isSuccess && database.timesOf(id) === 0).length,
    first: ready.map((at) =>
      Math.min(...ended.flatMap((end) => (end.told.isSuccess && end.at >= at ? [end.at - at] : [])))
    )
  }
}

/** The targets. Plain writes are in doubt where the database was closed in the middle, but not for a quiet half minute. */
export const isWell = ({ doubled, first, lost, mislabelled = 0, repeatable }: Row): boolean =>
  repeatable + mislabelled + doubled + lost === 0 && first.every((millis) => millis <= 500)
