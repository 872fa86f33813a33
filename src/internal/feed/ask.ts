/** Single requests to a server, beside its event stream. Runs in browsers and in Node. */
import { Data, Effect, Schema } from "effect"
import { authorization, type Server } from "./client.js"
import { HealthJson } from "./health.js"
import { QueryReport, type Window } from "./wire.js"

/** `status` is 0 if no answer came. */
export class AskFailed extends Data.TaggedError("AskFailed")<{ readonly status: number; readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

const limit = "10 seconds"

const unreachable = () => new AskFailed({ status: 0, reason: "the server cannot be reached" })

/** The body's JSON; `accepts` selects the statuses whose body is used. */
const json = (
  url: string,
  init: RequestInit,
  accepts: (status: number) => boolean = (status) => status === 200
): Effect.Effect<unknown, AskFailed> =>
  Effect.tryPromise({
    try: (signal) => fetch(url, { ...init, signal, cache: "no-store" }),
    catch: unreachable
  }).pipe(
    Effect.filterOrFail(
      ({ status }) => accepts(status),
      ({ status }) => new AskFailed({ status, reason: `the server answered ${status}` })
    ),
    Effect.flatMap((response) => Effect.tryPromise({ try: () => response.json(), catch: unreachable })),
    Effect.timeoutFail({ duration: limit, onTimeout: unreachable })
  )

const strange = () => new AskFailed({ status: 200, reason: "the server answered something else" })

const decode =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (value: unknown): Effect.Effect<A, AskFailed> =>
    Effect.mapError(Schema.decodeUnknown(schema)(value), strange)

/** Needs no token. An unhealthy database is an answer too. */
export const health = (url: string): Effect.Effect<HealthJson, AskFailed> =>
  Effect.flatMap(
    json(`${url}/api/health/database`, {}, (status) => status === 200 || status === 503),
    decode(HealthJson)
  )

export const queries = ({ token, url }: Server, window: Window): Effect.Effect<QueryReport, AskFailed> =>
  Effect.flatMap(
    json(`${url}/api/admin/database/metrics?window=${window}`, { headers: authorization(token) }),
    decode(QueryReport)
  )

const Reset = Schema.Struct({ reset: Schema.Int })

/** The number of replaced connections. */
export const reset = ({ token, url }: Server): Effect.Effect<number, AskFailed> =>
  json(`${url}/api/admin/database/reset-pool`, { method: "POST", headers: authorization(token) }).pipe(
    Effect.flatMap(decode(Reset)),
    Effect.map((answer) => answer.reset)
  )
