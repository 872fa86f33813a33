import { describe, expect, it } from "@effect/vitest"
import { ConnectionFailed } from "../../src/Errors.js"
import { Circuit } from "../../src/internal/pool/circuit.js"

const error = new ConnectionFailed({ pool: "read", origin: "http://a", failure: "refused", code: "", sent: false })

const delays = (circuit: Circuit, n: number): ReadonlyArray<number> =>
  Array.from({ length: n }, () => circuit.nextDelay())

describe("the circuit", () => {
  it("probes each 350 ms while a restart may be over, and then each second and a half", () => {
    const all = delays(new Circuit(), 14)
    expect(all).toEqual([50, 100, 200, 350, 350, 350, 350, 350, 350, 350, 700, 1_400, 1_500, 1_500])
  })

  it("goes on where it was for who fails again within two seconds, and begins anew for who was well for longer", () => {
    const circuit = new Circuit()
    expect([circuit.failed(error, 0), circuit.failed(error, 10), circuit.since]).toEqual([true, false, 0])
    expect(delays(circuit, 3)).toEqual([50, 100, 200])
    expect([circuit.succeeded(1_000), circuit.succeeded(1_000), circuit.isOpen]).toEqual([true, false, false])
    circuit.failed(error, 2_999)
    expect([circuit.since, ...delays(circuit, 1)]).toEqual([2_999, 350])
    circuit.succeeded(4_000)
    circuit.failed(error, 6_000)
    expect(delays(circuit, 2)).toEqual([50, 100])
  })
})
