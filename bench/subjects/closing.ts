/** Reads from a server that closes after each answer, where a connection takes as long to open as at a distance. */
import { Socket } from "node:net"
import { Effect, Layer, Logger } from "effect"
import * as Db from "../../src/Db.js"
import { patient } from "../support/options.js"
import { connections, query, request } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, looping, type Make } from "../support/subject.js"
import { client, send } from "../support/undici.js"
import { loops } from "./database.js"
import { stockClient } from "./peers.js"

/** What a handshake of TCP and TLS takes, in ms. */
const away = 40

/** The same where only the start is looked at: from one continent to another. */
const farAway = 200

/** All of Node's clients connect by it. */
const atADistance = (away: number): void => {
  const connect = Socket.prototype.connect
  Reflect.set(Socket.prototype, "connect", function later(this: Socket, ...args: ReadonlyArray<unknown>): Socket {
    setTimeout(() => this.destroyed || Reflect.apply(connect, this, args), away)
    return this
  })
}

/** It says once what such a server is, where this process has its figures. */
const layer = (options: Parameters<typeof Db.layerOf>[0]): ReturnType<typeof Db.layerOf> =>
  Layer.provide(Db.layerOf(options), Logger.remove(Logger.defaultLogger))

export const ours: Make = (url = "") => {
  atADistance(away)
  return loops(layer(patient(url, 2 * connections)))
}

export const stock: Make = async (url = "") => {
  atADistance(away)
  const supabase = stockClient(url)
  return looping(() => query(supabase))
}

/** A client for each request: what a connection for each costs without a pool and without `fetch`. */
export const undici: Make = async (url = "") => {
  atADistance(away)
  return looping(async () => {
    const socket = client(url)
    await send(socket, request)
    await socket.close()
  })
}

/** So many reads at once are the first that a process does, and the pool is made for them. */
export const oursCold: Make = async (url = "") => {
  atADistance(farAway)
  const made = layer({ ...patient(url, 2 * connections), minConnections: 1 })
  const read = Effect.asVoid(Db.read(query))
  return async ({ operations = 1 }) =>
    cpuOf(async () => {
      const { run } = await runtime(made)
      await run(
        Effect.all(
          Array.from({ length: operations }, () => read),
          { concurrency: "unbounded", discard: true }
        )
      )
    })
}

/** By as many loops as the pool has connections: `fetch` opens one for each request that is under way. */
export const stockCold: Make = async (url = "") => {
  atADistance(farAway)
  const supabase = stockClient(url)
  return async ({ callers = 1, operations = 1 }) =>
    cpuOf(() =>
      Promise.all(
        Array.from({ length: callers }, async () => {
          for (let n = 0; n < operations / callers; n += 1) await query(supabase)
        })
      )
    )
}
