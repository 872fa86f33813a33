/** This package from the outside: reads by `Db.read` and by the Promise API. */
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { createDatabase } from "../../src/promise.js"
import { reading } from "../support/options.js"
import { connections, query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, looping, type Make, times } from "../support/subject.js"

/** `Db.read` by so many fibers, each in a loop. */
export const loops = async (layer: ReturnType<typeof Db.layerOf>): ReturnType<Make> => {
  const { run } = await runtime(layer)
  const read = Effect.asVoid(Db.read(query))
  return async ({ callers = 1, operations = 1 }) => {
    const each = Math.ceil(operations / callers)
    const all = Array.from({ length: callers }, () => times(read, each))
    const { cpu, wall } = await cpuOf(() => run(Effect.all(all, { concurrency: "unbounded", discard: true })))
    return { cpu: cpu / (each * callers), wall: (wall * 1_000) / (each * callers) }
  }
}

/** Callers are fibers of one runtime, each in a loop, as callers of the others are promises in a loop. */
export const dbRead: Make = (url = "") => loops(Db.layerOf(reading(url, connections)))

export const dbReadBare: Make = (url = "") => loops(Db.layerOf({ ...reading(url, connections), enableMetrics: false }))

export const promiseRead: Make = async (url = "") => {
  const { executeWithPool } = createDatabase(reading(url, connections))
  return looping(() => executeWithPool(query, "read"))
}

const als = new AsyncLocalStorage<object>()

/** All in the context of a request, as a server's callers are. */
const inContext =
  (make: Make): Make =>
  async (...args) => {
    const measured = await als.run({}, () => make(...args))
    return (asked) => als.run({}, () => measured(asked))
  }

export const dbReadInContext: Make = inContext(dbRead)

export const promiseReadInContext: Make = inContext(promiseRead)
