/** One process of many before one server: 30 callers, one read after the other, for a while. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import type { Answer, Asked, Make } from "../support/subject.js"
import { stockClient } from "./peers.js"

/** Answered and failed reads, and the waits (ms) of those that were answered after the first 3 s, by percentile. */
const loops =
  (operation: () => Promise<boolean>): ((asked: Asked) => Promise<Answer>) =>
  async ({ callers = 1, millis = 1_000 }) => {
    const began = performance.now()
    const waits: Array<number> = []
    let answered = 0
    let failed = 0
    const caller = async (): Promise<void> => {
      for (;;) {
        const since = performance.now()
        if (since - began > millis) return
        const isAnswered = await operation()
        const now = performance.now()
        // What ends after the time is not counted: a slower end must not give more time.
        if (now - began > millis) return
        if (isAnswered) answered += 1
        else failed += 1
        if (isAnswered && now - began > 3_000) waits.push(now - since)
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    waits.sort((a, b) => a - b)
    return { answered, failed, p99: waits[Math.floor(waits.length * 0.99)] ?? 0 }
  }

/** With the pools that a process has unless it is told otherwise. */
export const ours: Make = async (url = "", adaptive = "off") => {
  const { run } = await runtime(
    Db.layerOf({ url, anonKey: "anon", serviceRoleKey: "service", adaptive: adaptive === "on" })
  )
  const read = Effect.match(Db.read(query), { onFailure: () => false, onSuccess: () => true })
  return loops(() => run(read))
}

export const stock: Make = async (url = "") => {
  const client = stockClient(url)
  return loops(async () => (await query(client)).error === null)
}
