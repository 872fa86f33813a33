/** One request, a quiet time, and another. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { reading } from "../support/options.js"
import { query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import type { Make } from "../support/subject.js"
import { stockClient } from "./peers.js"

const timed = async (ask: () => PromiseLike<unknown>): Promise<{ readonly wall: number }> => {
  const since = performance.now()
  await ask()
  return { wall: performance.now() - since }
}

export const stock: Make = async (url = "") => {
  const client = stockClient(url)
  return () => timed(() => query(client))
}

export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(reading(url, 1)))
  // Both pools open theirs in the background.
  await run(Effect.sleep("500 millis"))
  return () => timed(() => run(Db.read(query)))
}
