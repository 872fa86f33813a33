/** Whose an address is, for who counts by it. */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { clientOf, isLoopback } from "../../src/internal/http/addresses.js"

describe("an address", () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 })
  const text = (groups: ReadonlyArray<number>) => groups.map((it) => it.toString(16)).join(":")

  it("of the same 64 bits is the same client's, however it is written, and of others another's", () => {
    fc.assert(
      fc.property(ipv6, ipv6, fc.constantFrom("", "%eth0"), (one, other, zone) => {
        const mine = [...one.slice(0, 4), ...other.slice(4)]
        const key = clientOf(text(one))
        expect(clientOf(`${text(mine).toUpperCase()}${zone}`)).toBe(key)
        expect(clientOf(new URL(`http://[${text(mine)}]`).hostname.slice(1, -1))).toBe(key)
        const same = one.slice(0, 4).join() === other.slice(0, 4).join()
        expect(clientOf(text(other)) === key).toBe(same)
      })
    )
  })

  it("of IPv4 is itself, as IPv6 too, and is loopback's where it begins with 127", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number)
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        for (const written of [address, `::ffff:${address}`, `::FFFF:${hex}`, `0:0:0:0:0:ffff:${hex}`]) {
          expect(clientOf(written)).toBe(address)
          expect(isLoopback(written)).toBe(a === 127)
        }
      })
    )
    for (const here of ["::1", "0:0:0:0:0:0:0:1"]) expect(isLoopback(here)).toBe(true)
    for (const not of ["::", "::2", "1::1", "::127.0.0.1", "unknown", "", "127.0.0.1.evil.com"]) {
      expect(isLoopback(not)).toBe(false)
    }
  })
})
