/**
 * What the event stream tells, collected once for all who listen: a sample a second, what happens to connections, and
 * alerts; with a memory of the last minutes, so that a page that is opened now shows how it came to this, and one whose
 * connection was cut goes on where it was.
 */
import { Clock, Effect, Option, PubSub, Ref, Schedule, Schema, type Scope, Stream } from "effect"
import type { AlertEvent } from "../../Alerts.js"
import type { ConnectionEvent } from "../../Audit.js"
import { forkBackground } from "../asyncContext.js"
import { History } from "../feed/history.js"
import type { Message } from "../feed/sse.js"
import * as Wire from "../feed/wire.js"
import * as Sampling from "./sampling.js"

const interval = "1 second"

/** Five minutes of samples. */
const limits = { sample: 300, connection: 200, alert: 50 }

/** A reader that is so many messages behind loses the oldest. */
const backlog = 256

export interface Hub {
  /**
   * History first (none where that is not wanted), or what came after `lastId` where that is known; then what comes. Ends
   * when the hub closes.
   */
  readonly follow: (lastId: Option.Option<string>, withHistory: boolean) => Stream.Stream<Message>
}

const toJson = {
  sample: Schema.encodeSync(Schema.parseJson(Wire.Sample)),
  connection: Schema.encodeSync(Schema.parseJson(Wire.Happened)),
  alert: Schema.encodeSync(Schema.parseJson(Wire.AlertTold)),
  hello: Schema.encodeSync(Schema.parseJson(Wire.Hello))
}

export const make = (sources: Sampling.Sources): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const name = sources.metrics.since.toString(36)
    const history = new History(name, limits)
    const told = yield* Effect.acquireRelease(
      PubSub.sliding<{ readonly nth: number; readonly message: Message }>(backlog),
      PubSub.shutdown
    )
    const last = yield* Ref.make(Option.none<Wire.Sample>())

    const tell = (event: string, data: string) => Effect.suspend(() => PubSub.publish(told, history.add(event, data)))

    const sample = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const taken = yield* Sampling.take(sources, yield* Ref.get(last), now)
      yield* Ref.set(last, Option.some(taken))
      yield* tell("sample", toJson.sample(taken))
    })

    const happened = (event: ConnectionEvent) => tell("connection", toJson.connection(event))
    const alerted = ({ alert, at, type }: AlertEvent) =>
      tell("alert", toJson.alert({ type, at, alert: Sampling.alertOf(alert) }))

    yield* forkBackground(Effect.repeat(sample, Schedule.fixed(interval)))
    for (const pool of [sources.read, sources.write]) yield* forkBackground(Stream.runForEach(pool.lifecycle, happened))
    if (Option.isSome(sources.alerts)) yield* forkBackground(Stream.runForEach(sources.alerts.value.events, alerted))

    const follow = (lastId: Option.Option<string>, withHistory: boolean): Stream.Stream<Message> =>
      Stream.unwrapScoped(
        Effect.map(PubSub.subscribe(told), (queue) => {
          const seen = Option.flatMapNullable(lastId, (id) => history.numberOf(id))
          const { newest } = history
          const hello = { process: name, resumed: Option.isSome(seen) }
          return Stream.concat(
            Stream.fromIterable([
              { id: "", event: "hello", data: toJson.hello(hello) },
              ...history.after(Option.getOrElse(seen, () => (withHistory ? 0 : newest)))
            ]),
            Stream.fromQueue(queue).pipe(
              Stream.filter(({ nth }) => nth > newest),
              Stream.map(({ message }) => message)
            )
          )
        })
      )
    return { follow }
  })
