/**
 * `npm run build` runs this after tsc: it makes `dist/promise.js` one file that holds what it uses of Effect, with others
 * beside it that are loaded later, `dist/promise.d.ts` types that know nothing of Effect, and the command line a program of
 * its own.
 *
 * Module by module the Promise entry loads all of Effect, which costs twelve times what supabase-js does; and its user would
 * have to install that, in the version that it is.
 */
import { readdir, rm } from "node:fs/promises"
import { bundleBin } from "./bundleBin.js"
import { writeCheckedEntries } from "./checkedEntries.js"
import { bundle, loadedAtOnce } from "./promise/build.js"
import { bundleTypes } from "./promise/types.js"

const ofTsc = ["dist/promise.js", "dist/promise.js.map", "dist/promise.d.ts", "dist/promise.d.ts.map"]
/** Told to edge runtimes, it is no part of the bundle. */
const inside = (await readdir("dist/internal/promise")).filter((name) => !name.startsWith("edge."))
for (const path of [...ofTsc, ...inside.map((name) => `dist/internal/promise/${name}`), "dist/internal/cli"]) {
  await rm(path, { recursive: true, force: true })
}

const { metafile } = await bundle("dist")
const parser = /node_modules\/effect\/dist\/esm\/(Schema|SchemaAST|ParseResult)\.js$/
const early = [...loadedAtOnce(metafile)].filter(([path, bytes]) => bytes > 0 && parser.test(path))
if (early.length > 0) {
  throw new Error(
    `dist/promise.js loads ${early.map(([path]) => path).join(", ")} at once, which takes longer than all else: ` +
      "load what needs it later, as scripts/promise/build.ts does"
  )
}
await bundleTypes("dist/promise.d.ts")
await bundleBin()
await writeCheckedEntries()
