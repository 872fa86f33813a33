/** The part of undici that is bundled: what has to be looked at before another version of it is. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")

interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const manifest: Manifest = JSON.parse(read("package.json"))
const installed: Manifest = JSON.parse(read("node_modules/undici/package.json"))

describe("undici", () => {
  it("is in vendor/undici as package.json names it, to the last digit", () => {
    const pinned = manifest.devDependencies?.["undici"]
    assert.strictEqual(installed.version, pinned, "npm install")
    assert.match(
      read("vendor/undici/client.js").split("\n", 1).join(""),
      new RegExp(`undici ${pinned},`),
      "npm run build:undici"
    )
  })

  it("is nobody's dependency, so that a version that a user's project asks for changes no request of ours", () => {
    assert.notProperty(manifest.dependencies ?? {}, "undici")
    assert.notProperty(manifest.peerDependencies ?? {}, "undici")
  })

  it("is version 7: 8 has no handlers with onConnect, onHeaders, onData, onComplete and onError", () => {
    assert.strictEqual(
      installed.version?.split(".", 1).join(""),
      "7",
      "Before another version: src/internal/connection/exchange.ts has to be a handler as that version has them (in 8: onRequestStart, " +
        "onResponseStart, onResponseData, onResponseEnd, onResponseError), and bench/support/undici.ts as well. Then change this test."
    )
  })

  const places: ReadonlyArray<readonly [file: string, text: string, made: string]> = [
    ["client.js", "const connectH2 = require('./client-h2.js')", "http2OnDemand"],
    ["client-h1.js", "if (statusCode === 100) {", "passOver100"]
  ]
  for (const [file, text, made] of places) {
    it(`has in lib/dispatcher/${file} what ${made} of scripts/bundleUndici.ts changes`, () => {
      assert.include(
        read(`node_modules/undici/lib/dispatcher/${file}`),
        text,
        `Find where undici does this now, and change ${made} in scripts/bundleUndici.ts; if the file has moved, its \`stdin\` too.`
      )
    })
  }
})
