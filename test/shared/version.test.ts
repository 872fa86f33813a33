import { readFile } from "node:fs/promises"
import { OpenApi } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Api } from "../../src/Http.js"
import { version } from "../../src/internal/shared/version.js"
import { root } from "../support/program.js"

const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

describe("the version", () => {
  it.effect("is the package's, also in the definition of the API", () =>
    Effect.gen(function* () {
      const text = yield* Effect.promise(() => readFile(`${root}package.json`, "utf8"))
      const manifest = yield* Schema.decode(Manifest)(text)
      assert.strictEqual(version, manifest.version)
      assert.strictEqual(OpenApi.fromApi(Api).info.version, manifest.version)
    })
  )
})
