/** Reads from a server that closes after each answer, where a connection takes as long to open as at a distance. */
import { Socket } from "node:net"
import { Layer, Logger } from "effect"
import * as Db from "../../src/Db.js"
import { patient } from "../support/options.js"
import { connections, query, request } from "../support/read.js"
import { looping, type Make } from "../support/subject.js"
import { client, send } from "../support/undici.js"
import { loops } from "./database.js"
import { stockClient } from "./peers.js"

/** What a handshake of TCP and TLS takes, in ms. */
const away = 40

/** All of Node's clients connect by it. */
const atADistance = (): void => {
  const connect = Socket.prototype.connect
  Reflect.set(Socket.prototype, "connect", function later(this: Socket, ...args: ReadonlyArray<unknown>): Socket {
    setTimeout(() => this.destroyed || Reflect.apply(connect, this, args), away)
    return this
  })
}

export const ours: Make = (url = "") => {
  atADistance()
  // It says once what such a server is, where this process has its figures.
  return loops(Layer.provide(Db.layerOf(patient(url, 2 * connections)), Logger.remove(Logger.defaultLogger)))
}

export const stock: Make = async (url = "") => {
  atADistance()
  const supabase = stockClient(url)
  return looping(() => query(supabase))
}

/** A client for each request: what a connection for each costs without a pool and without `fetch`. */
export const undici: Make = async (url = "") => {
  atADistance()
  return looping(async () => {
    const socket = client(url)
    await send(socket, request)
    await socket.close()
  })
}
