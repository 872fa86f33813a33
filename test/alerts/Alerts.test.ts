import type { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import {
  Data,
  Deferred,
  Duration,
  Effect,
  Fiber,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted,
  Stream,
  TestClock,
  Tracer
} from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import type * as Pool from "../../src/Pool.js"
import { type SlackReceiver, slackReceiver } from "../support/slackReceiver.js"

const poolMetrics = (pool: "read" | "write", active: number): Pool.PoolMetrics => ({
  pool,
  min: 5,
  max: 10,
  total: 10,
  active,
  idle: 10 - active,
  pending: 0,
  connecting: 0,
  reachable: true,
  created: 10,
  closed: 0,
  acquired: 100,
  timeouts: 0,
  overloaded: 0,
  leaks: 0,
  lastLeak: Number.NEGATIVE_INFINITY,
  lateReturns: 0,
  connectFailures: 0,
  longestHeld: Duration.zero
})

type Details = Health.HealthReport["details"]

const report = (timestamp: number, change: Partial<Details>): Health.HealthReport => {
  const details: Details = {
    canConnect: true,
    connectionTime: Option.some(Duration.millis(3)),
    error: Option.none(),
    reasons: [],
    read: poolMetrics("read", 6),
    write: poolMetrics("write", 2),
    totals: { requests: 100, failed: 0 },
    errorRate: 0,
    averageResponseTime: Duration.millis(12),
    uptime: Duration.minutes(5),
    ...change
  }
  return { status: details.canConnect ? "healthy" : "unhealthy", timestamp, responseTime: Duration.millis(3), details }
}

const sample = (change: Partial<Details> = {}): Alerts.Sample => Alerts.sampleOf(report(1_000_000, change))

const down: Partial<Details> = { canConnect: false, error: Option.some("connect ECONNREFUSED 127.0.0.1:5432") }

/** A health check whose findings a test sets. */
class Patient {
  details: Partial<Details> = {}
  checks = 0
  readonly layer: Layer.Layer<Health.Health> = Layer.succeed(Health.Health, {
    check: Effect.flatMap(Effect.clock, (clock) =>
      Effect.sync(() => {
        this.checks += 1
        return report(clock.unsafeCurrentTimeMillis(), this.details)
      })
    ),
    last: Effect.succeedNone
  })
}

/** A sink that keeps what it is told. */
class Notebook {
  readonly events: Array<Alerts.AlertEvent> = []
  readonly sink: Alerts.Sink = { name: "a notebook", send: (event) => Effect.sync(() => this.events.push(event)) }
  get words(): ReadonlyArray<string> {
    return this.events.map(({ alert, type }) => `${type} ${alert.rule}`)
  }
}

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Record<string, unknown>
}

const logging = (lines: Array<Line>): Layer.Layer<never> =>
  Layer.merge(
    Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ annotations, cause, logLevel, message }) => {
        lines.push({
          level: logLevel.label,
          message: `${String(message)}${cause._tag === "Empty" ? "" : String(cause)}`,
          annotations: Object.fromEntries(HashMap.toEntries(annotations))
        })
      })
    ),
    Logger.minimumLogLevel(LogLevel.All)
  )

/** A second of virtual time, and a turn of the event loop for what is on its way through sockets and promises. */
const second = Effect.zipRight(
  TestClock.adjust("1 second"),
  Effect.promise(() => new Promise(setImmediate))
)

const passSeconds = (count: number): Effect.Effect<void> => Effect.asVoid(Effect.replicateEffect(second, count))

class Refusal extends Data.TaggedError("Refusal")<{ readonly message: string }> {}

const always: Alerts.Rule = { name: "always", severity: "info", when: () => true, holdFor: 0 }

const names = (alerts: ReadonlyArray<Alerts.Alert>): ReadonlyArray<string> => alerts.map(({ rule }) => rule)

describe("the built-in rules", () => {
  const firing = (change: Partial<Details>): ReadonlyArray<string> =>
    Alerts.defaultRules.flatMap((rule) => {
      const answer = rule.when(sample(change))
      return (typeof answer === "boolean" ? answer : Option.isSome(answer)) ? [rule.name] : []
    })

  it("hold above the guide's thresholds and not at them", () => {
    expect(firing({})).toEqual([])
    expect(firing({ read: poolMetrics("read", 8) })).toEqual([])
    expect(firing({ read: poolMetrics("read", 9) })).toEqual(["utilization"])
    expect(firing({ write: poolMetrics("write", 9) })).toEqual(["utilization"])
    expect(firing({ errorRate: 0.05 })).toEqual([])
    expect(firing({ errorRate: 0.051 })).toEqual(["error-rate"])
    expect(firing({ averageResponseTime: Duration.seconds(1) })).toEqual([])
    expect(firing({ averageResponseTime: Duration.millis(1_001) })).toEqual(["response-time"])
    expect(firing({ read: { ...poolMetrics("read", 1), leaks: 1, lastLeak: 999_000 } })).toEqual(["leaks"])
    expect(firing({ read: { ...poolMetrics("read", 1), leaks: 1, lastLeak: 900_000 } })).toEqual([])
    expect(firing(down)).toEqual(["unhealthy"])
  })

  it("say what is wrong in figures", () => {
    const said = (rule: Alerts.Rule, change: Partial<Details>) => {
      const answer = rule.when(sample(change))
      return typeof answer === "boolean" ? "" : Option.getOrElse(answer, () => "")
    }
    expect(said(Alerts.utilizationAbove(0.5), {})).toBe("60 % of a pool's connections are busy, more than 50 %")
    expect(said(Alerts.errorRateAbove(0.05), { errorRate: 0.071 })).toContain("7.1 %")
    expect(said(Alerts.responseTimeAbove("1 second"), { averageResponseTime: Duration.seconds(3) })).toContain(
      "3000 ms"
    )
    expect(said(Alerts.poolUnhealthy, down)).toBe("the database cannot be reached: connect ECONNREFUSED 127.0.0.1:5432")
  })
})

describe("watching", () => {
  it.scoped("an alert fires when it has held, stays active while it lasts, and resolves when it has been fine", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    return Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      patient.details = down
      yield* TestClock.adjust("30 seconds")
      expect(names(yield* Alerts.active)).toEqual([])
      yield* TestClock.adjust("10 seconds")
      expect(names(yield* Alerts.active)).toEqual(["unhealthy"])
      expect((yield* Alerts.active)[0]?.fineSince).toBeUndefined()
      patient.details = {}
      yield* TestClock.adjust("1 minute")
      expect((yield* Alerts.active).map(({ fineSince, rule }) => [rule, fineSince])).toEqual([["unhealthy", 60_000]])
      yield* TestClock.adjust("10 seconds")
      expect(names(yield* Alerts.active)).toEqual([])
      yield* TestClock.adjust("10 minutes")
      expect(notebook.words).toEqual(["fired unhealthy", "resolved unhealthy"])
      const alert = notebook.events[0]?.alert
      expect([alert?.since, alert?.firedAt]).toEqual([20_000, 50_000])
    }).pipe(Effect.provide(Alerts.layer({ sinks: [notebook.sink] }).pipe(Layer.provide(patient.layer))))
  })

  it.scoped("a condition on the edge makes one notification, however often it is crossed", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    return Effect.gen(function* () {
      patient.details = down
      yield* TestClock.adjust("1 minute")
      for (let i = 0; i < 50; i += 1) {
        patient.details = i % 2 === 0 ? {} : down
        yield* TestClock.adjust("20 seconds")
      }
      expect(notebook.words).toEqual(["fired unhealthy"])
    }).pipe(Effect.provide(Alerts.layer({ sinks: [notebook.sink] }).pipe(Layer.provide(patient.layer))))
  })

  it.scoped("an alert that lasts is announced again after four hours and not before", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    patient.details = down
    return Effect.gen(function* () {
      yield* TestClock.adjust("4 hours")
      expect(notebook.words).toEqual(["fired unhealthy"])
      yield* TestClock.adjust("1 minute")
      expect(notebook.words).toEqual(["fired unhealthy", "reminded unhealthy"])
    }).pipe(
      Effect.provide(
        Alerts.layer({ sinks: [notebook.sink], interval: "30 seconds" }).pipe(Layer.provide(patient.layer))
      )
    )
  })

  it.scoped("events are a stream, and a user's rule replaces a built-in one of its name", () => {
    const patient = new Patient()
    const rules = [...Alerts.defaultRules, { ...Alerts.utilizationAbove(0.5), holdFor: "1 minute" } as const]
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runHead(Alerts.events))
      yield* TestClock.adjust("50 seconds")
      expect(names(yield* Alerts.active)).toEqual([])
      yield* TestClock.adjust("10 seconds")
      const first = yield* Fiber.join(fiber)
      expect(Option.getOrThrow(Option.map(first, ({ alert }) => alert.detail))).toContain("more than 50 %")
    }).pipe(Effect.provide(Alerts.layer({ rules, sinks: [] }).pipe(Layer.provide(patient.layer))))
  })

  it.scoped("a rule that throws leaves its alert as it was", () => {
    const patient = new Patient()
    let throws = false
    const flaky: Alerts.Rule = {
      name: "flaky",
      severity: "info",
      when: () => {
        if (throws) throw new Error("no such figure")
        return true
      }
    }
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      throws = true
      yield* TestClock.adjust("10 minutes")
      expect(names(yield* Alerts.active)).toEqual(["flaky"])
    }).pipe(
      Effect.provide(
        Alerts.layer({ rules: [flaky], sinks: [] }).pipe(Layer.provide(patient.layer), Layer.provideMerge(logging([])))
      )
    )
  })

  it.scoped("a rule that throws is logged once and keeps no other rule from firing", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    const lines: Array<Line> = []
    const broken: Alerts.Rule = {
      name: "broken",
      severity: "info",
      when: () => {
        throw new Error("no such figure")
      }
    }
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      expect(notebook.words).toEqual(["fired always"])
      expect(lines.map(({ message }) => message)).toEqual([
        "the alert rule broken throws, and is not logged again: Error: no such figure"
      ])
    }).pipe(
      Effect.provide(
        Alerts.layer({ rules: [broken, always], sinks: [notebook.sink] }).pipe(
          Layer.provide(patient.layer),
          Layer.provideMerge(logging(lines))
        )
      )
    )
  })

  it.effect("ends with its scope", () => {
    const patient = new Patient()
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute").pipe(
        Effect.provide(Alerts.layer({ sinks: [] }).pipe(Layer.provide(patient.layer)))
      )
      const { checks } = patient
      yield* TestClock.adjust("1 hour")
      expect([checks > 0, patient.checks]).toEqual([true, checks])
    })
  })

  it.scoped("a database that is away fires through the real health check", () => {
    const notebook = new Notebook()
    let away = true
    const options = { minConnections: 2, maxConnections: 4, maxRetries: 0, enableHealthChecks: false } as const
    const wired = Alerts.layer({ sinks: [notebook.sink] }).pipe(
      Layer.provideMerge(Health.layer),
      Layer.provideMerge(
        Db.layerTest(() => (away ? Response.json({ code: "PGRST001" }, { status: 503 }) : Response.json(null)), options)
      ),
      Layer.provide(Config.PoolConfig.layerOf(options))
    )
    return Effect.gen(function* () {
      yield* passSeconds(60)
      expect(notebook.words).toEqual(["fired unhealthy"])
      away = false
      yield* passSeconds(120)
      expect(notebook.words).toEqual(["fired unhealthy", "resolved unhealthy"])
    }).pipe(Effect.provide(wired))
  })
})

describe("sinks", () => {
  it.scoped("the log has a warning when an alert fires and a line at info when it resolves, with figures", () => {
    const patient = new Patient()
    const lines: Array<Line> = []
    patient.details = down
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      patient.details = {}
      yield* TestClock.adjust("2 minutes")
      expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
        "WARN alert: Database pool unhealthy: the database cannot be reached: connect ECONNREFUSED 127.0.0.1:5432",
        "INFO alert resolved: Database pool unhealthy"
      ])
      expect(lines[0]?.annotations).toEqual({
        alert: "unhealthy",
        severity: "critical",
        connections: "8/20",
        pending: 0
      })
    }).pipe(Effect.provide(Alerts.layer().pipe(Layer.provide(patient.layer), Layer.provideMerge(logging(lines)))))
  })

  it.scoped("one that fails, dies, throws or hangs is logged once and holds up no other", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    const lines: Array<Line> = []
    const flip = { ...always, when: () => patient.checks % 2 === 0, resolveAfter: 0, coolDown: 0 }
    const sinks: ReadonlyArray<Alerts.Sink> = [
      { name: "fails", send: () => Effect.fail(new Refusal({ message: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln is wrong" })) },
      { name: "dies", send: () => Effect.die("a defect") },
      {
        name: "throws",
        send: () => {
          throw new Error("thrown")
        }
      },
      { name: "hangs", send: () => Effect.never },
      notebook.sink
    ]
    return Effect.gen(function* () {
      yield* TestClock.adjust("20 minutes")
      expect(notebook.events.length).toBe(patient.checks - 1)
      const said = lines.map(({ message }) => message.split(". ")[0]).sort()
      expect(said).toEqual([
        "alerts do not reach dies: a defect",
        "alerts do not reach fails: <redacted> is wrong",
        "alerts do not reach hangs: took longer than 5 min",
        "alerts do not reach throws: thrown"
      ])
    }).pipe(
      Effect.provide(
        Alerts.layer({ rules: [flip], sinks }).pipe(Layer.provide(patient.layer), Layer.provideMerge(logging(lines)))
      )
    )
  })

  it.scoped("one that is slow loses the oldest beyond its queue, and how many is logged when it works again", () => {
    const patient = new Patient()
    const lines: Array<Line> = []
    const received: Array<number> = []
    const flip = { ...always, when: () => patient.checks % 2 === 1, resolveAfter: 0, coolDown: 0 }
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const slow: Alerts.Sink = {
        name: "slow",
        send: ({ at }) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => received.push(at))
          )
      }
      yield* Effect.gen(function* () {
        // The first is being sent, 64 wait, 35 are too many.
        yield* TestClock.adjust("99 seconds")
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("0 seconds")
        expect(received.length).toBe(65)
        expect(received.at(-1)).toBe(99_000)
        expect(lines.map(({ message }) => message)).toEqual(["alerts reach slow again; 35 notifications did not"])
      }).pipe(
        Effect.provide(
          Alerts.layer({ rules: [flip], sinks: [slow], interval: "1 second" }).pipe(Layer.provide(patient.layer))
        )
      )
    }).pipe(Effect.provide(logging(lines)))
  })
})

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
