/** This package from the outside: reads by `Db.read` and by the Promise API. */
import { AsyncLocalStorage } from "node:async_hooks"
import * as Db from "../../src/Db.js"
import { createDatabase } from "../../src/promise.js"
import { reading } from "../support/options.js"
import { connections, query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import { fibers, looping, type Make } from "../support/subject.js"

/** `Db.read` by so many fibers, each in a loop. */
export const loops = async (layer: ReturnType<typeof Db.layerOf>): ReturnType<Make> => {
  const { run } = await runtime(layer)
  return fibers(run, Db.read(query))
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
