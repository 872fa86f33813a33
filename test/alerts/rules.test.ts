import { describe, expect, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import * as Alerts from "../../src/Alerts.js"
import { type Details, down, poolMetrics, sample } from "../support/alertsWorld.js"

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
