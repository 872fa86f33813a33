/**
 * Follows a server's event stream as long as somebody listens: reconnects when the connection is lost or silent, and resumes
 * where it was. Runs in browsers and in Node.
 */
import { Data, Effect, Either, Option, Ref, Schedule, Schema, Stream } from "effect"
import { Decoder, type Message } from "./sse.js"
import * as Wire from "./wire.js"

export interface Server {
  /** Without a slash at its end; empty for the page's own origin. */
  readonly url: string
  readonly token: string
  /** Whether to begin with the last minutes. Default: true. */
  readonly history?: boolean
}

export type Told = Data.TaggedEnum<{
  Connected: Wire.Hello
  Sample: { readonly sample: Wire.Sample }
  Happened: { readonly id: string; readonly event: Wire.Happened }
  Alert: { readonly id: string; readonly event: Wire.AlertTold }
  Lately: { readonly lately: Wire.Lately }
  /** Reconnects automatically. */
  Lost: { readonly reason: string }
  /** 401: another token is needed; 404: the server has no admin routes. It is the last message. */
  Refused: { readonly status: number }
}>

export const Told = Data.taggedEnum<Told>()

class Broken extends Data.TaggedError("Broken")<{ readonly reason: string }> {}

/** The server sends a sample every second, and a heartbeat every 15. */
const patience = "20 seconds"

const pause = "1 second"

const unreachable = () => new Broken({ reason: "the server cannot be reached" })

const path = "/api/admin/database/events"

export const authorization = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/**
 * Text that no header can carry (with an en dash from an editor, for example) cannot be a token, and `fetch` would only
 * throw.
 */
const isSendable = (token: string): boolean => /^[\x21-\x7e]*$/.test(token)

const open = ({ history = true, token, url }: Server, lastId: Option.Option<string>): Effect.Effect<Response, Broken> =>
  Effect.tryPromise({
    try: (signal) =>
      fetch(`${url}${path}${history ? "" : "?history=false"}`, {
        signal,
        cache: "no-store",
        headers: {
          accept: "text/event-stream",
          ...authorization(token),
          ...Option.match(lastId, { onNone: () => ({}), onSome: (id) => ({ "last-event-id": id }) })
        }
      }),
    catch: unreachable
  }).pipe(Effect.timeoutFail({ duration: patience, onTimeout: unreachable }))

const decoders = {
  hello: Schema.decodeUnknownEither(Schema.parseJson(Wire.Hello)),
  sample: Schema.decodeUnknownEither(Schema.parseJson(Wire.Sample)),
  connection: Schema.decodeUnknownEither(Schema.parseJson(Wire.Happened)),
  alert: Schema.decodeUnknownEither(Schema.parseJson(Wire.AlertTold)),
  queries: Schema.decodeUnknownEither(Schema.parseJson(Wire.Lately))
}

const told = ({ data, event, id }: Message): Either.Either<Told, unknown> => {
  switch (event) {
    case "hello":
      return Either.map(decoders.hello(data), Told.Connected)
    case "sample":
      return Either.map(decoders.sample(data), (sample) => Told.Sample({ sample }))
    case "connection":
      return Either.map(decoders.connection(data), (happened) => Told.Happened({ id, event: happened }))
    case "alert":
      return Either.map(decoders.alert(data), (alert) => Told.Alert({ id, event: alert }))
    case "queries":
      return Either.map(decoders.queries(data), (lately) => Told.Lately({ lately }))
    default:
      return Either.left("unknown")
  }
}

const messages = (body: ReadableStream<Uint8Array>): Stream.Stream<Message, Broken> => {
  const decoder = new Decoder()
  return Stream.fromReadableStream({
    evaluate: () => body,
    onError: () => new Broken({ reason: "the connection was cut" })
  }).pipe(
    Stream.timeoutFail(() => new Broken({ reason: "the server stopped sending" }), patience),
    Stream.decodeText(),
    Stream.mapConcat((text) => decoder.push(text))
  )
}

const connection = (server: Server, last: Ref.Ref<Option.Option<string>>): Stream.Stream<Told, Broken> =>
  Stream.unwrap(
    Effect.gen(function* () {
      if (!isSendable(server.token)) return Stream.make(Told.Refused({ status: 401 }))
      const response = yield* open(server, yield* Ref.get(last))
      const { body, status } = response
      if (status === 401 || status === 404) return Stream.make(Told.Refused({ status }))
      if (!response.ok || body === null) return Stream.fail(new Broken({ reason: `the server answered ${status}` }))
      return messages(body).pipe(
        Stream.tap(({ id }) => (id === "" ? Effect.void : Ref.set(last, Option.some(id)))),
        // Unknown messages of a newer server are ignored.
        Stream.filterMap((message) => Either.getRight(told(message))),
        Stream.concat(Stream.fail(new Broken({ reason: "the server ended the connection" })))
      )
    })
  )

/** Ends only after a refusal. */
export const follow = (server: Server): Stream.Stream<Told> =>
  Stream.unwrap(
    Effect.map(Ref.make(Option.none<string>()), (last) =>
      connection(server, last).pipe(
        Stream.catchAll(({ reason }) => Stream.make(Told.Lost({ reason }))),
        Stream.repeat(Schedule.jittered(Schedule.spaced(pause))),
        Stream.takeUntil(Told.$is("Refused"))
      )
    )
  )
