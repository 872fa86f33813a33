/** `import "effect-supabase-pool"` beside another Effect; `npm run check:install` tries it with one that is installed. */
import { assert, describe, it } from "@effect/vitest"
import { fits, flawOf } from "../../src/internal/shared/effectVersion.js"

describe("an installed version", () => {
  for (const [version, wanted, holds] of [
    ["3.22.4", "3.22.4", true],
    ["3.22.3", "3.22.4", false],
    ["3.23.0", "3.22.4", true],
    ["4.1.0", "3.22.4", false],
    ["4.0.0-beta.66", "3.22.4", false],
    ["2.4.21", "3.22.4", false],
    ["0.97.2", "0.97.2", true],
    ["0.97.9", "0.97.2", true],
    ["0.98.0", "0.97.2", false]
  ] as const) {
    it(`${version} ${holds ? "fits" : "does not fit"} ^${wanted}`, () =>
      assert.strictEqual(fits(version, wanted), holds))
  }
})

describe("what is said", () => {
  const withVersions = (effect: string | undefined, platform: string | undefined) =>
    flawOf((name) => (name === "effect" ? effect : platform))

  it("is nothing where both fit", () => assert.isUndefined(withVersions("3.22.4", "0.97.2")))

  it("names the version that is installed, the one that is needed, and the entry that needs none", () => {
    const said = withVersions("4.1.0", undefined) ?? ""
    assert.include(said, "effect 4.1.0 is installed")
    assert.include(said, "effect ^3.22.4")
    assert.include(said, "effect-supabase-pool/promise")
    assert.notInclude(said, "\n")
  })

  it("names what is missing", () => {
    assert.include(withVersions(undefined, undefined) ?? "", "effect is not installed")
    assert.include(withVersions("3.22.4", undefined) ?? "", "@effect/platform is not installed")
  })
})
