/** What one read is made of, each layer with those below it, on the same sockets and with the same callers. */
import { Duration, Effect, Redacted, Scope } from "effect"
import { target } from "../../src/internal/connection/connect.js"
import { SocketFetch } from "../../src/internal/connection/socketFetch.js"
import { makeClient } from "../../src/internal/connection/supabaseClient.js"
import * as Deadlines from "../../src/internal/shared/deadlines.js"
import { connections, query, request } from "../support/read.js"
import { inTurn, looping, type Make } from "../support/subject.js"
import { client, send } from "../support/undici.js"

/** undici writes a request and parses its answer, which nobody looks at. */
export const http: Make = async (url = "") => {
  const next = inTurn(Array.from({ length: connections }, () => client(url)))
  return looping(() => send(next(), request))
}

const sockets = async (url: string): Promise<ReadonlyArray<SocketFetch>> => {
  const scope = Effect.runSync(Scope.make())
  const requestTimeout = Duration.seconds(30)
  const deadlines = await Effect.runPromise(Scope.extend(Deadlines.make(requestTimeout), scope))
  const options = {
    target: target("read", new URL(url)),
    requestTimeout,
    maxAnswer: 2 ** 28,
    compression: true,
    deadlines,
    answered: { longest: 0 },
    onClose: () => {}
  }
  const opened = Array.from({ length: connections }, () => new SocketFetch(options))
  for (const socket of opened) {
    await Effect.runPromise(socket.open)
    socket.usable = true
  }
  return opened
}

/** The socket's `fetch`, its answer read as text: deadline and response object come on top. */
export const fetching: Make = async (url = "") => {
  const next = inTurn(await sockets(url))
  const { headers, method, path } = request
  return looping(async () => (await next().fetch(`${url}${path}`, { method, headers })).text())
}

/** supabase-js's builder on that `fetch`: it makes the URL and the headers, and parses the rows. */
export const builder: Make = async (url = "") => {
  const key = Redacted.make("anon")
  const clients = (await sockets(url)).map((socket) => makeClient(url, key, key, socket.fetch))
  const next = inTurn(clients)
  return looping(() => query(next()))
}
