/** The same request by undici alone, over both versions of HTTP and TLS: a loop on each socket, or all loops on one. */
import { Client } from "undici"
import { connections, request } from "../support/read.js"
import { inTurn, looping, type Make } from "../support/subject.js"
import { client, send } from "../support/undici.js"

const sending = async (clients: ReadonlyArray<Client>): ReturnType<Make> => {
  const next = inTurn(clients)
  return looping(() => send(next(), request))
}

export const first: Make = (url = "") => sending(Array.from({ length: connections }, () => client(url)))

export const second: Make = (url = "") =>
  sending([new Client(url, { allowH2: true, maxConcurrentStreams: 100, pipelining: 100 })])
