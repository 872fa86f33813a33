import { createServer, type Server } from "node:http"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { answersTo, nameOf } from "../http/hostNames.js"
import type { Packages } from "./packages.js"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"

/** Counted by the server itself, from its sockets: what a pool says of itself can be held against it. */
export interface ServerCounts {
  /** Sockets open now. */
  readonly open: number
  /** The most that were ever open at once. */
  readonly peak: number
  /** Sockets ever opened. */
  readonly opened: number
  /** Requests that arrived. */
  readonly requests: number
  /** Requests whose caller went away before the answer was sent. */
  readonly aborted: number
}

export interface HttpServer {
  readonly port: number
  readonly counts: () => ServerCounts
}

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly keepAliveTimeout: Duration.Duration
  readonly stopGrace: Duration.Duration
}

/** A header by which an answer asks to be held back; never sent on. See `delayOf`. */
const delayHeader = "Embedded-Delay"

/**
 * PGlite's only session, and this thread with it, stands still during `pg_sleep`. A SQL function that wants to look slow
 * sets the response header `Embedded-Delay` (milliseconds) instead: its answer waits, and all others go on.
 */
const delayOf = (response: Response): number => {
  const asked = Number(response.headers.get(delayHeader) ?? 0)
  return Number.isFinite(asked) && asked > 0 ? asked : 0
}

/** The part of a response that tells when its caller has gone. */
interface Outgoing {
  readonly destroyed: boolean
  readonly once: (event: "close", listener: () => void) => unknown
}

const heldBack = (milliseconds: number, outgoing: Outgoing): Effect.Effect<void> =>
  Effect.race(
    Effect.sleep(Duration.millis(milliseconds)),
    Effect.async<void>((resume) => void outgoing.once("close", () => resume(Effect.void)))
  )

type RequestHandler = (request: Request, gone: () => boolean) => Promise<Response>

const delayed =
  (answer: RequestHandler) =>
  async (request: Request, outgoing: Outgoing): Promise<Response> => {
    const response = await answer(request, () => outgoing.destroyed)
    const delay = delayOf(response)
    if (delay === 0) return response
    await Effect.runPromise(heldBack(delay, outgoing))
    const headers = new Headers(response.headers)
    headers.delete(delayHeader)
    return new Response(response.body, { status: response.status, headers })
  }

interface Counter {
  readonly counts: () => ServerCounts
  /** Until every socket is closed. Node calls a server closed a moment before its sockets say so. */
  readonly drained: Effect.Effect<void>
}

const counting = (server: Server): Counter => {
  let open = 0
  let peak = 0
  let opened = 0
  let requests = 0
  let aborted = 0
  const waiting = new Set<() => void>()
  server.on("connection", (socket) => {
    open += 1
    opened += 1
    peak = Math.max(peak, open)
    socket.once("close", () => {
      open -= 1
      if (open === 0) for (const wake of waiting) wake()
    })
  })
  server.prependListener("request", (_, response) => {
    requests += 1
    response.once("close", () => {
      if (!response.writableFinished) aborted += 1
    })
  })
  return {
    counts: () => ({ open, peak, opened, requests, aborted }),
    drained: Effect.async((resume) => {
      if (open === 0) resume(Effect.void)
      else waiting.add(() => resume(Effect.void))
    })
  }
}

const listening = (server: Server, { host, port }: ServerOptions): Effect.Effect<number, EmbeddedStartFailed> =>
  Effect.async((resume) => {
    const refused = (cause: Error): void =>
      resume(
        Effect.fail(
          new EmbeddedStartFailed({
            stage: "listen",
            reason: `${host} port ${port} cannot be listened on (${wordsOf(cause)})`,
            cause
          })
        )
      )
    server.once("error", refused)
    const listening = (): void => {
      server.off("error", refused)
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    }
    // A port that is none is thrown at the caller, not emitted.
    try {
      server.listen({ host, port }, listening)
    } catch (cause) {
      refused(cause instanceof Error ? cause : new Error(String(cause)))
    }
  })

const closed = (server: Server, grace: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!server.listening) return Effect.void
    const done = Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeIdleConnections()
    })
    const cut = Effect.delay(
      Effect.sync(() => server.closeAllConnections()),
      grace
    )
    // Finalisers cannot be interrupted, and neither could the arm that loses this race.
    return Effect.race(done, Effect.interruptible(Effect.zipRight(cut, Effect.never)))
  })

const misdirected = JSON.stringify({
  message: "The embedded database answers to the names of this machine only. Ask for localhost or 127.0.0.1."
})

/** The answers over HTTP on loopback; closing the scope closes every socket, at the latest after the grace. */
export const listen = (
  lite: Packages,
  answer: RequestHandler,
  options: ServerOptions
): Effect.Effect<HttpServer, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const keepAlive = Duration.toMillis(options.keepAliveTimeout)
    const handle = delayed(answer)
    const listener = lite.getRequestListener((request, { outgoing }) => handle(request, outgoing), {
      overrideGlobalObjects: false
    })
    const server = createServer(
      {
        keepAliveTimeout: keepAlive,
        // Node measures both from the same moment: a shorter one would cut an idle socket early, unannounced.
        headersTimeout: keepAlive + 5_000
      },
      (request, response) => {
        // It is on loopback only, and has the same to fear from a page with a name of its own as every server there.
        if (answersTo(nameOf(request.headers.host), { allowedHosts: [], host: options.host }, true))
          listener(request, response)
        else response.writeHead(421, { "content-type": "application/json" }).end(misdirected)
      }
    )
    const { counts, drained } = counting(server)
    yield* Effect.addFinalizer(() => Effect.zipRight(closed(server, options.stopGrace), drained))
    const port = yield* listening(server, options)
    return { port, counts }
  })
