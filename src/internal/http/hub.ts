/**
 * The content of the event stream, collected once for all listeners: a sample a second, connection events, and alerts. It
 * keeps the last minutes, so that a newly opened page shows how the current state arose, and a page whose connection was cut
 * resumes where it was.
 */
import { Chunk, Clock, Duration, Effect, Option, Queue, Ref, Schedule, Schema, type Scope, Stream } from "effect"
import type { AlertEvent } from "../../Alerts.js"
import type { ConnectionEvent } from "../../Audit.js"
import { History } from "../feed/history.js"
import { encode } from "../feed/sse.js"
import * as Wire from "../feed/wire.js"
import { courseOf } from "../metrics/observer.js"
import { forkBackground } from "../shared/asyncContext.js"
import { printableJson } from "../shared/printable.js"
import * as Sampling from "./sampling.js"

const interval = "1 second"

/** Five minutes of samples. */
const limits = { sample: 300, connection: 200, alert: 50, queries: 60 }

/** As long as the shortest period that is kept. */
const latelyEvery = "5 seconds"

const mostLately = 6

/** A reader this many messages behind is disconnected; it may reconnect and resume where it was. */
export const backlog = 512

/** The maximum number of listeners. Each receives every message, so thousands of them would block the process. */
export const mostListeners = 100

/** The number of history messages that are sent at once; other work runs between two pieces. */
const piece = 25

/** The encoded message. */
type Text = string

interface Listener {
  readonly queue: Queue.Queue<Text>
  readonly hangUp: Effect.Effect<void>
}

export interface Following {
  readonly lastId: Option.Option<string>
  readonly withHistory: boolean
  /** Ends the connection of a listener that does not read: the stream alone cannot, since nobody pulls from it. */
  readonly hangUp: Effect.Effect<void>
}

export interface Hub {
  /**
   * First the history (if wanted), or the messages after `lastId` if it is known; then new messages. Ends when the hub
   * closes, and when the listener does not keep up. None if too many listen already; a listener keeps its place until
   * the scope closes.
   */
  readonly follow: (following: Following) => Effect.Effect<Option.Option<Stream.Stream<Text>>, never, Scope.Scope>
}

/** For curl on a terminal, too. */
const encoder = <A, I>(schema: Schema.Schema<A, I>): ((value: A) => string) => {
  const encode = Schema.encodeSync(Schema.parseJson(schema))
  return (value) => printableJson(encode(value))
}

const toJson = {
  sample: encoder(Wire.Sample),
  connection: encoder(Wire.Happened),
  alert: encoder(Wire.AlertTold),
  queries: encoder(Wire.Lately),
  hello: encoder(Wire.Hello)
}

export const make = (sources: Sampling.Sources): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const name = sources.metrics.since.toString(36)
    const history = new History(name, limits)
    const listeners = yield* Effect.acquireRelease(
      Effect.sync(() => new Set<Listener>()),
      (all) => Effect.forEach(all, ({ queue }) => Queue.shutdown(queue), { discard: true })
    )
    const last = yield* Ref.make(Option.none<Sampling.Taken>())

    const letGo = (listener: Listener) =>
      Effect.gen(function* () {
        listeners.delete(listener)
        yield* Queue.shutdown(listener.queue)
        yield* listener.hangUp
        yield* Effect.logWarning(`an event stream was ended: its reader was ${backlog} messages behind`)
      })

    const tell = (event: string, data: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const text = encode(history.add(event, data).message)
        const slow = [...listeners].filter(({ queue }) => !queue.unsafeOffer(text))
        return slow.length === 0 ? Effect.void : Effect.forEach(slow, letGo, { discard: true })
      })

    const sample = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const taken = yield* Sampling.take(sources, yield* Ref.get(last), now)
      yield* Ref.set(last, Option.some(taken))
      yield* tell("sample", toJson.sample(taken.sample))
    })

    const course = courseOf(sources.metrics)
    const lately = Effect.suspend(() => {
      const told = course?.lately(mostLately)
      return told === undefined || told.queries.length === 0 ? Effect.void : tell("queries", toJson.queries(told))
    })

    const happened = (event: ConnectionEvent) => tell("connection", toJson.connection(event))
    const alerted = ({ alert, at, type }: AlertEvent) =>
      tell("alert", toJson.alert({ type, at, alert: Sampling.alertOf(alert) }))

    yield* forkBackground(Effect.repeat(sample, Schedule.fixed(interval)))
    if (course !== undefined) yield* forkBackground(Effect.schedule(lately, Schedule.fixed(latelyEvery)))
    for (const pool of [sources.read, sources.write]) yield* forkBackground(Stream.runForEach(pool.lifecycle, happened))
    if (Option.isSome(sources.alerts)) yield* forkBackground(Stream.runForEach(sources.alerts.value.events, alerted))

    const begin = ({ lastId, withHistory }: Following): Stream.Stream<Text> => {
      const seen = Option.flatMapNullable(lastId, (id) => history.numberOf(id))
      const hello = { process: name, resumed: Option.isSome(seen) }
      const before = history.after(Option.getOrElse(seen, () => (withHistory ? 0 : history.newest)))
      return Stream.concat(
        Stream.make(encode({ id: "", event: "hello", data: toJson.hello(hello) })),
        Stream.fromIterable(Chunk.chunksOf(Chunk.fromIterable(before), piece)).pipe(
          Stream.rechunk(1),
          // Lets the event loop serve the sockets; yielding to other fibers does not.
          Stream.tap(() => Effect.sleep(Duration.zero)),
          Stream.map((messages) => Chunk.join(Chunk.map(messages, encode), ""))
        )
      )
    }

    const follow: Hub["follow"] = (following) =>
      Effect.suspend(() => {
        if (listeners.size >= mostListeners) return Effect.succeedNone
        return Effect.map(
          Effect.acquireRelease(
            Effect.map(Queue.dropping<Text>(backlog), (queue) => {
              const listener = { queue, hangUp: following.hangUp }
              listeners.add(listener)
              // In the same synchronous step, so that no message is lost or sent twice.
              return { listener, history: begin(following) }
            }),
            ({ listener }) => {
              listeners.delete(listener)
              return Queue.shutdown(listener.queue)
            }
          ),
          ({ history: before, listener: { queue } }) => Option.some(Stream.concat(before, Stream.fromQueue(queue)))
        )
      })
    return { follow }
  })
