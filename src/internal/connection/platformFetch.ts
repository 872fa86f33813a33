/**
 * The platform's `fetch` in place of sockets of ours: for specs that catch requests there (msw, nock, a stub), and for who
 * wants the platform's own sockets. The pool bounds what is under way; which sockets carry it, `fetch` decides.
 */
import { Clock, Effect, Runtime } from "effect"
import { ConnectionFailed, type Mode } from "../../Errors.js"
import type { Carrier } from "../pool/readWritePools.js"
import { codeOf, failureOf } from "./connect.js"
import { type Handler, HandlerTransport } from "./handlerTransport.js"

/** Where these come from, nobody was reached. */
const unsent: ReadonlySet<ConnectionFailed["failure"]> = new Set(["refused", "dns", "local", "tls"])

const reasonOf = (thrown: unknown): Error =>
  thrown instanceof Error ? (thrown.cause instanceof Error ? thrown.cause : thrown) : new Error("unknown")

const failed =
  (mode: Mode, { origin, protocol }: URL, method: string) =>
  (thrown: unknown): ConnectionFailed => {
    const reason = reasonOf(thrown)
    const code = codeOf(reason)
    // Named errors are `fetch`'s own, and say no more than that it came to nothing.
    const failure = /^E[A-Z_]+$/.test(code) ? failureOf(code, protocol === "https:") : "closed"
    return new ConnectionFailed({ pool: mode, origin, failure, code, sent: !unsent.has(failure), method })
  }

/** Looked up with each request, so that one which is replaced later is seen. */
const handler =
  (mode: Mode, url: URL): Handler<never> =>
  (request) =>
    Effect.tryPromise({
      try: (signal) => globalThis.fetch(new Request(request, { redirect: "manual", signal })),
      catch: failed(mode, url, request.method)
    })

export const platformFetch: Carrier = (mode, url, { maxAnswer, requestTimeout }) =>
  Clock.clockWith((clock) => {
    const options = {
      mode,
      origin: url.origin,
      handler: handler(mode, url),
      runtime: Runtime.defaultRuntime,
      clock,
      requestTimeout,
      maxAnswer
    }
    return Effect.succeed({ makeTransport: () => new HandlerTransport(options) })
  })
