/**
 * The programs that tests start, made once per run: each is one file with all that it imports, so that it is running
 * after a third of a second, where compiling it anew took two. `globalEmbedded.ts` makes them; tests ask `program`.
 */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("../..", import.meta.url))

const sources = [
  "src/bin.ts",
  "src/promise.ts",
  "src/internal/load/staticServer.ts",
  "examples/http-service/main.ts",
  "examples/leak/leak.ts",
  "examples/leak/load.ts",
  "examples/opentelemetry/main.ts",
  "examples/rls/main.ts",
  "examples/shop/main.ts",
  "examples/worker/main.ts",
  "test/support/embeddedChild.ts",
  "test/support/postgresChild.ts",
  "test/support/rateLimitChild.ts",
  "test/support/serviceChild.ts",
  "test/support/stoppedChild.ts",
  "test/support/transactionChild.ts"
]

/** They find files of their own beside them, or are not needed by every program. */
const external = ["@supabase/lite", "@hono/node-server", "postgres", "redis", "vite"]

/** A source still finds the files beside it; only the one that starts other programs finds those made here. */
const places = (folder: string): Plugin => ({
  name: "places",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/](src|test|examples)[\\/][^.]*\.tsx?$/ }, async ({ path }) => {
      if (!path.startsWith(root) || path.includes("node_modules")) return undefined
      const code = await readFile(path, "utf8")
      if (!code.includes("import.meta.url")) return undefined
      const starts = path.endsWith("src/internal/load/server.ts")
      const place = starts ? `${folder}/src/internal/load/server.js` : path
      return {
        contents: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(place).href)),
        loader: path.endsWith("x") ? "tsx" : "ts"
      }
    })
  }
})

export interface Programs {
  readonly folder: string
  readonly remove: () => Promise<void>
}

export const makePrograms = async (): Promise<Programs> => {
  // Under node_modules, so that git does not see it and what is not built in is found.
  const cache = `${root}node_modules/.cache`
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(`${cache}/programs-`)
  await build({
    absWorkingDir: root,
    entryPoints: sources,
    outdir: folder,
    outbase: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    jsx: "automatic",
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: "error",
    external,
    plugins: [places(folder)],
    banner: { js: 'import { createRequire as req } from "node:module"; const require = req(import.meta.url);' }
  })
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** The file to run in place of this source. */
export const made = (folder: string, source: string): string => `${folder}/${source.replace(/\.ts$/, ".js")}`
