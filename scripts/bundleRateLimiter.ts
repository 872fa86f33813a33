/**
 * `npm install` and `npm run build` run this: it makes `vendor/effect`, the rate limiter of `@effect/experimental`, whose own
 * peers npm would put, or miss, in every application that uses this package, also where there is another Effect.
 */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises"
import process from "node:process"
import { build } from "esbuild"

const folder = "vendor/effect"
const from = "node_modules/@effect/experimental"

const { version }: { readonly version: string } = JSON.parse(await readFile(`${from}/package.json`, "utf8"))

await mkdir(folder, { recursive: true })
await build({
  stdin: { contents: 'export * from "@effect/experimental/RateLimiter"', resolveDir: process.cwd() },
  bundle: true,
  format: "esm",
  external: ["effect/*"],
  banner: { js: `/*! @effect/experimental ${version}, MIT, see LICENSE beside this file. */` },
  outfile: `${folder}/rateLimiter.js`
})
const types = await readFile(`${from}/dist/dts/RateLimiter.d.ts`, "utf8")
await writeFile(`${folder}/rateLimiter.d.ts`, types.replace(/\n\/\/# sourceMappingURL.*/, ""))
await copyFile(`${from}/LICENSE`, `${folder}/LICENSE`)
