/** The same request by undici alone, over both versions of HTTP and TLS: a loop on each socket, or all loops on one. */
import { Client, type Dispatcher } from "undici"
import { looping, type Make } from "../support/subject.js"

const headers = { apikey: "anon", authorization: "Bearer anon", "x-client-info": "supabase-js-node/2.0.0" }

const sending = (clients: ReadonlyArray<Client>): ReturnType<Make> => {
  let turn = 0
  const send = (): Promise<void> =>
    new Promise((resolve, reject) => {
      turn = (turn + 1) % clients.length
      const handler: Dispatcher.DispatchHandler = {
        onConnect: () => {},
        onHeaders: () => true,
        onData: () => true,
        onComplete: () => resolve(),
        onError: reject
      }
      clients[turn]?.dispatch(
        { path: "/rest/v1/rows?select=id%2Cname&id=eq.1&limit=1", method: "GET", headers },
        handler
      )
    })
  return Promise.resolve(looping(send))
}

export const first: Make = (url = "", sockets = "20") =>
  sending(Array.from({ length: Number(sockets) }, () => new Client(url, { pipelining: 1 })))

export const second: Make = (url = "") =>
  sending([new Client(url, { allowH2: true, maxConcurrentStreams: 100, pipelining: 100 })])
