import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import { always, down, type Line, logging, Notebook, names, Patient, passSeconds } from "../support/alertsWorld.js"

describe("watching", () => {
  it.scoped("an alert fires when it has held, stays active while it lasts, and resolves when it has been fine", () => {
    const patient = new Patient()
    const notebook = new Notebook()
    return Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      patient.details = down
      yield* TestClock.adjust("30 seconds")
      expect(names(yield* Alerts.active)).toEqual([])
      const { pending } = yield* Alerts.Alerts
      expect(yield* pending).toEqual([
        {
          rule: "unhealthy",
          severity: "critical",
          summary: "Database pool unhealthy",
          detail: "the database cannot be reached: connect ECONNREFUSED 127.0.0.1:5432",
          since: 20_000,
          firesAt: 50_000
        }
      ])
      yield* TestClock.adjust("10 seconds")
      expect(names(yield* Alerts.active)).toEqual(["unhealthy"])
      expect(yield* pending).toEqual([])
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
        "the alert rule broken throws; this is not logged again: Error: no such figure"
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
