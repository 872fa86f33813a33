import type { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, TestClock, Tracer } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import { down, type Line, logging, Notebook, Patient, passSeconds, second } from "../support/alertsWorld.js"
import { type SlackReceiver, slackReceiver } from "../support/slackReceiver.js"

describe("Slack", () => {
  /** Everything that is told of a run: logs and spans, to look for what must not be there. */
  const observed = () => {
    const lines: Array<Line> = []
    const spans: Array<string> = []
    const tracer = Effect.map(Effect.tracer, (own) =>
      Tracer.make({
        span: (name, parent, context, links, startTime, kind, options) => {
          const span = own.span(name, parent, context, links, startTime, kind, options)
          const attribute = span.attribute.bind(span)
          span.attribute = (key, value) => {
            spans.push(`${name} ${key}=${String(value)}`)
            attribute(key, value)
          }
          spans.push(name)
          return span
        },
        context: (f, fiber) => own.context(f, fiber)
      })
    )
    const layer = Layer.merge(logging(lines), Layer.unwrapEffect(Effect.map(tracer, Layer.setTracer)))
    return { lines, spans, layer }
  }

  const wired = (receiver: SlackReceiver, more: Partial<Alerts.SlackOptions> = {}, others: Array<Alerts.Sink> = []) => {
    const patient = new Patient()
    patient.details = down
    const slack = Alerts.slack({ webhook: Redacted.make(receiver.webhook), ...more })
    const layer = Alerts.layer<HttpClient.HttpClient>({ sinks: [slack, ...others] }).pipe(
      Layer.provide(patient.layer),
      Layer.provide(NodeHttpClient.layerUndici)
    )
    return { patient, layer }
  }

  /** Lets the retries' delays pass, however long they are, until the receiver has seen it. */
  const passTime = (receiver: SlackReceiver, holds: () => boolean) =>
    Effect.race(receiver.until(holds), Effect.forever(second))

  const untilLogged = (lines: ReadonlyArray<Line>, count: number) =>
    Effect.iterate(0, { while: () => lines.length < count, body: () => Effect.as(second, 0) })

  it.scoped("is sent severity and connections when an alert fires, and once when it resolves", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const { layer, patient } = wired(receiver, { channel: "#alerts" })
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        yield* receiver.until(() => receiver.bodies.length === 1)
        expect(JSON.parse(receiver.bodies[0] ?? "")).toEqual({
          channel: "#alerts",
          text: "🚨 Database pool unhealthy: 8/20 connections",
          blocks: [
            {
              type: "section",
              text: {
                type: "mrkdwn",
                text: "*🚨 Database pool unhealthy: 8/20 connections*\nthe database cannot be reached: connect ECONNREFUSED 127.0.0.1:5432"
              }
            },
            {
              type: "context",
              elements: [
                {
                  type: "mrkdwn",
                  text: "severity *critical* · unhealthy · since 1970-01-01T00:00:00.000Z · for 30 s"
                }
              ]
            }
          ]
        })
        expect(receiver.headers[0]?.["content-type"]).toBe("application/json")
        patient.details = {}
        yield* TestClock.adjust("70 seconds")
        yield* receiver.until(() => receiver.bodies.length === 2)
        yield* passSeconds(600)
        expect(receiver.bodies.length).toBe(2)
        expect(receiver.bodies[1]).toContain("✅ Resolved: Database pool unhealthy: 8/20 connections")
      }).pipe(Effect.provide(layer))
    })
  )

  it.scoped("is not made to mention a channel by what a database said", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const { layer, patient } = wired(receiver)
      patient.details = { ...down, error: Option.some("<!channel> & eyJhbGciOiJIUzI1NiJ9.e30.c2ln") }
      yield* Effect.provide(
        TestClock.adjust("30 seconds").pipe(Effect.zipRight(receiver.until(() => receiver.bodies.length === 1))),
        layer
      )
      expect(receiver.bodies[0]).toContain("&lt;!channel&gt; &amp; &lt;redacted&gt;")
    })
  )

  it.scoped(
    "is asked again when it answers 500, no sooner than it says when it answers 429, and has the alert once",
    () =>
      Effect.gen(function* () {
        const receiver = yield* slackReceiver
        const { lines, layer: watching } = observed()
        receiver.answer = (request) =>
          request === 1 ? 500 : request === 2 ? { status: 429, headers: { "retry-after": "20" } } : 200
        const { layer } = wired(receiver)
        yield* Effect.gen(function* () {
          yield* TestClock.adjust("30 seconds")
          yield* receiver.until(() => receiver.bodies.length === 1)
          yield* passTime(receiver, () => receiver.bodies.length === 2)
          const asked = yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
          yield* passTime(receiver, () => receiver.bodies.length === 3)
          const again = yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
          expect(again - asked).toBeGreaterThanOrEqual(19_000)
          yield* TestClock.adjust("10 minutes")
          expect([receiver.bodies.length, lines.length]).toEqual([3, 0])
        }).pipe(Effect.provide(Layer.provideMerge(layer, watching)))
      })
  )

  it.scoped("is not asked again when it refuses for good", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const { lines, layer: watching } = observed()
      receiver.answer = () => 404
      const { layer } = wired(receiver)
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        yield* untilLogged(lines, 1)
        yield* TestClock.adjust("10 minutes")
        expect(receiver.bodies.length).toBe(1)
        expect(lines[0]?.message).toContain("alerts do not reach Slack: it answered 404. ")
      }).pipe(Effect.provide(Layer.provideMerge(layer, watching)))
    })
  )

  it.scoped("that hangs is hung up on after ten seconds and asked again", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      receiver.answer = (request) => (request === 1 ? "hang" : 200)
      const { layer } = wired(receiver)
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        yield* receiver.until(() => receiver.bodies.length === 1)
        expect(receiver.aborted).toBe(0)
        yield* TestClock.adjust("10 seconds")
        yield* receiver.until(() => receiver.aborted === 1)
        yield* passTime(receiver, () => receiver.bodies.length === 2)
        expect(receiver.bodies[1]).toBe(receiver.bodies[0])
      }).pipe(Effect.provide(layer))
    })
  )

  it.scoped("is told of an event once where no attempt is asked for, and that is what the log says", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const { lines, layer: watching } = observed()
      const { layer } = wired(receiver, { attempts: 0 })
      receiver.answer = () => 500
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        yield* untilLogged(lines, 1)
        expect(lines[0]?.message).toContain("alerts do not reach Slack: it answered 500 (1 attempt). ")
        expect(receiver.bodies).toHaveLength(1)
      }).pipe(Effect.provide(Layer.provideMerge(layer, watching)))
    })
  )

  it.scoped("that is gone is logged once, holds up no other sink, and is told again when it is back", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const { lines, spans, layer: watching } = observed()
      const notebook = new Notebook()
      const { layer, patient } = wired(receiver, {}, [notebook.sink])
      yield* receiver.stop
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        yield* untilLogged(lines, 1)
        expect(notebook.words).toEqual(["fired unhealthy"])
        expect(lines[0]?.message).toContain(
          "alerts do not reach Slack: the connection failed (Transport) (5 attempts). "
        )
        patient.details = {}
        yield* receiver.start
        yield* passTime(receiver, () => receiver.bodies.length === 1)
        yield* untilLogged(lines, 2)
        expect(lines.map(({ message }) => message).slice(1)).toEqual([
          "alerts reach Slack again; 1 notification did not"
        ])
      }).pipe(Effect.provide(layer), Effect.withSpan("the program"), Effect.provide(watching))
      expect(notebook.words).toEqual(["fired unhealthy", "resolved unhealthy"])
      expect(JSON.stringify([lines, spans])).not.toContain("hush-hush-hush")
      expect(spans.filter((span) => span.includes("http.client"))).toEqual([])
    })
  )

  it.effect("that hangs does not hold up the end of the scope", () =>
    Effect.gen(function* () {
      const receiver = yield* slackReceiver
      receiver.answer = () => "hang"
      const { layer } = wired(receiver)
      yield* Effect.provide(
        Effect.zipRight(
          TestClock.adjust("30 seconds"),
          receiver.until(() => receiver.bodies.length === 1)
        ),
        layer
      )
      yield* receiver.until(() => receiver.aborted === 1)
    }).pipe(Effect.scoped)
  )

  it.scoped("is used by the server's layer exactly when its webhook is set", () => {
    const lines: Array<Line> = []
    return Effect.gen(function* () {
      const receiver = yield* slackReceiver
      const patient = new Patient()
      patient.details = down
      const server = (webhook: Option.Option<string>) =>
        Alerts.layerServer.pipe(
          Layer.provide(patient.layer),
          Layer.provide(NodeHttpClient.layerUndici),
          Layer.provide(Config.ServerConfig.layerOf({ slackWebhookUrl: Option.map(webhook, (_) => Redacted.make(_)) }))
        )
      yield* Effect.provide(TestClock.adjust("30 seconds"), server(Option.none()))
      expect([lines.length, receiver.bodies.length]).toEqual([1, 0])
      yield* Effect.provide(
        Effect.zipRight(
          TestClock.adjust("30 seconds"),
          receiver.until(() => receiver.bodies.length === 1)
        ),
        server(Option.some(receiver.webhook))
      )
      expect(lines.length).toBe(2)
    }).pipe(Effect.provide(logging(lines)))
  })
})
