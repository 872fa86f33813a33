import { describe, expect, it } from "@effect/vitest"
import { ConnectionFailed } from "../../src/Errors.js"
import * as Circuit from "../../src/internal/pool/circuit.js"

const error = new ConnectionFailed({ pool: "read", origin: "http://a", failure: "refused", code: "", sent: false })

/** What the next probes wait for, and what is known after them. */
const probes = (
  circuit: Circuit.Circuit,
  n: number
): readonly [delays: ReadonlyArray<number>, after: Circuit.Circuit] => {
  let after = circuit
  const delays = Array.from({ length: n }, () => {
    const delay = Circuit.delayOf(after)
    after = Circuit.afterPlan(after)
    return delay
  })
  return [delays, after]
}

describe("the circuit", () => {
  it("probes each 350 ms while a restart may be over, and then each second and a half", () => {
    const [all] = probes(Circuit.closed, 14)
    expect(all).toEqual([50, 100, 200, 350, 350, 350, 350, 350, 350, 350, 700, 1_400, 1_500, 1_500])
  })

  it("goes on where it was after a failure within two seconds, and begins again after longer", () => {
    const failed = Circuit.afterFailure(Circuit.closed, error, 0)
    const twice = Circuit.afterFailure(failed, error, 10)
    expect([Circuit.isOpen(Circuit.closed), Circuit.isOpen(failed), twice.since]).toEqual([false, true, 0])
    const [first, probed] = probes(twice, 3)
    expect(first).toEqual([50, 100, 200])
    const well = Circuit.afterSuccess(probed, 1_000)
    expect([Circuit.isOpen(well), Circuit.afterSuccess(well, 1_500)]).toEqual([false, well])
    const again = Circuit.afterFailure(well, error, 2_999)
    const [second, probedAgain] = probes(again, 1)
    expect([again.since, ...second]).toEqual([2_999, 350])
    const later = Circuit.afterFailure(Circuit.afterSuccess(probedAgain, 4_000), error, 6_000)
    expect(probes(later, 2)[0]).toEqual([50, 100])
  })
})
