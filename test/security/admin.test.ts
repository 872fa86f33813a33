/** The admin token is compared in constant time, and the pages have nothing in them that a policy would have to allow. */
import type * as Crypto from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Redacted } from "effect"
import { vi } from "vitest"
import * as AdminToken from "../../src/internal/http/adminToken.js"
import { shows } from "../support/reliability.js"

const compared = vi.hoisted((): Array<readonly [Uint8Array, Uint8Array]> => [])

vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof Crypto>()
  return {
    ...crypto,
    timingSafeEqual: (a: Uint8Array, b: Uint8Array) => {
      compared.push([a, b])
      return crypto.timingSafeEqual(a, b)
    }
  }
})

describe("the admin token", () => {
  it("is compared in constant time with whatever is given, however long, however alike", (context) => {
    const text = FastCheck.string({ maxLength: 100 })
    const alike = text.chain((token) =>
      FastCheck.tuple(
        FastCheck.constant(token),
        FastCheck.constantFrom(token, `${token}x`, token.slice(1), token.slice(0, -1))
      )
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(FastCheck.tuple(text, text), alike), ([token, given]) => {
        compared.length = 0
        expect(AdminToken.matches(Redacted.make(token), given)).toBe(token === given)
        // Of the same length, and unlike as soon as one character is: what was right of a guess is not in the time it takes.
        expect(compared.map(([a, b]) => [a.length, b.length])).toEqual([[32, 32]])
      })
    )
    shows(context, {
      kind: "promise",
      section: "Security",
      what: "the admin token is compared by `timingSafeEqual`, always once and over 32 bytes, whatever is given"
    })
  })
})

describe("the dashboard's page", () => {
  it("has no script, style or handler in it, so that its policy allows none", () => {
    const page = readFileSync(fileURLToPath(new URL("../../dashboard/index.html", import.meta.url)), "utf8")
    expect(page).toContain("<script")
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:/i)
  })
})
