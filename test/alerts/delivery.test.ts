import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer, TestClock } from "effect"
import * as Alerts from "../../src/Alerts.js"
import { always, down, type Line, logging, Notebook, Patient, Refusal } from "../support/alertsWorld.js"

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
