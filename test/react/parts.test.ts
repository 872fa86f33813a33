import { describe, expect, it } from "@effect/vitest"
import { createElement } from "react"
import { renderToStaticMarkup } from "react-dom/server"
import { callerLeft } from "../../src/internal/audit/eventType.js"
import { frame } from "../../src/internal/cli/top/frame.js"
import { Told } from "../../src/internal/feed/client.js"
import { empty, next } from "../../src/internal/feed/view.js"
import type * as Wire from "../../src/internal/feed/wire.js"
import { Firing } from "../../src/internal/react/alerts.js"
import { EventLog } from "../../src/internal/react/log.js"
import { type ChartSpec, describe as inWords, table } from "../../src/internal/react/series.js"
import { DatabasePoolMonitor } from "../../src/react.js"
import { sample } from "../support/samples.js"

const failed = (reason: string): Wire.Happened => ({
  type: "failed",
  pool: "read",
  connectionId: "read-1",
  at: 0,
  holder: "GET /cheapest",
  held: 20,
  age: 100,
  reason
})

const logOf = (event: Wire.Happened): string =>
  renderToStaticMarkup(createElement(EventLog, { happened: [{ id: "1", ...event }] }))

const leak: Wire.Alert = {
  rule: "leaks",
  severity: "warning",
  summary: "Database connections leak",
  detail: "2 read, 0 write",
  since: 0
}

const firing = (alert: Wire.Alert): string =>
  renderToStaticMarkup(createElement(Firing, { sample: { ...sample({}), at: 90_000, alerts: [alert] } }))

describe("the log of connections", () => {
  it("says why a connection broke, in red", () => {
    const text = logOf(failed("closed by the server"))
    expect(text).toMatch(/spm-tag-bad">broke</)
    expect(text).toContain("closed by the server")
  })

  it("does not call broken what its caller left", () => {
    const text = logOf(failed(callerLeft))
    expect(text).toMatch(/spm-tag-plain">left</)
    expect(text).toContain(callerLeft)
    expect(text).not.toContain("broke")
  })

  it("is the same in a terminal", () => {
    const shown = (event: Wire.Happened) =>
      frame(
        [Told.Sample({ sample: sample({}) }), Told.Happened({ id: "1", event })].reduce(
          (view, told) => next(view, told, 0),
          empty
        ),
        { columns: 200, rows: 40, colour: true, url: "", now: 0 }
      ).join("\n")
    const broke = shown(failed("closed by the server"))
    expect(broke).toContain("\u001B[31mfailed")
    expect(broke).toContain("closed by the server")
    expect(shown(failed(callerLeft))).not.toContain("\u001B[31m")
  })
})

describe("a chart in words", () => {
  it("says of each line its own figures, wherever a limit is drawn among them", () => {
    const spec: ChartSpec = {
      title: "Both pools",
      unit: String,
      atLeast: 1,
      lines: [
        { label: "max", colour: "limit", dashed: true, value: () => 10 },
        { label: "read", colour: "read", value: ({ read }) => read.active },
        { label: "write", colour: "write", value: ({ write }) => write.active }
      ]
    }
    const samples = [
      sample({ at: 0, read: { active: 4 }, write: { active: 2 } }),
      sample({ at: 1_000, read: { active: 1 }, write: { active: 0 } })
    ]
    const words = inWords(spec, table(samples, spec))
    expect(words).toBe("Both pools, last minutes: read 1, at most 4; write 0, at most 2")
  })
})

describe("an alert that fires", () => {
  it("says what is wrong while it is", () => {
    expect(firing(leak)).toContain("<span>2 read, 0 write</span>")
  })

  it("says that it is fine again before it is resolved, and what it was", () => {
    const text = firing({ ...leak, fineSince: 60_000 })
    expect(text).toMatch(/fine again for 30 s/)
    expect(text).toContain("it was: 2 read, 0 write")
    expect(text).not.toContain("spm-alert-warning")
  })
})

describe("the component on a server", () => {
  it("renders its heading, and asks no React for a hook: the one that renders may be another", () => {
    expect(renderToStaticMarkup(createElement(DatabasePoolMonitor))).toContain("<h2>Database pool</h2>")
    // Outside of any rendering, where each hook throws.
    expect(() => DatabasePoolMonitor({})).not.toThrow()
  })
})
