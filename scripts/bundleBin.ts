/**
 * The command line with its packages inside, so that `npx supabase-pool` runs where no Effect is installed, or another
 * version of it. It lies as deep as a room of `src/internal`, since it looks for the package's files from there.
 */
import { readFile } from "node:fs/promises"
import { build, type Plugin } from "esbuild"
import { byModule } from "./promise/byModule.js"

const effectByModule: Plugin = {
  name: "effect-by-module",
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/(src\/.*\.tsx?|@effect\/[^/]+\/dist\/esm\/.*\.js)$/ }, async ({ path }) => ({
      contents: byModule(await readFile(path, "utf8")),
      loader: path.endsWith("x") ? "tsx" : path.endsWith(".js") ? "js" : "ts"
    }))
  }
}

/** The optional packages are asked for when they are needed; `@parcel/watcher` is one of Effect's. */
const external = [
  "@supabase/*",
  "@hono/node-server",
  "@parcel/watcher",
  "postgres",
  "redis",
  "react",
  "react-dom",
  "vite",
  "#undici"
]

export const bundleBin = async (): Promise<void> => {
  await build({
    entryPoints: { program: "src/internal/cli/program.ts", staticServer: "src/internal/load/staticServer.ts" },
    outdir: "dist/internal/cli",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external,
    sourcemap: true,
    sourcesContent: false,
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module";const require = makeRequire(import.meta.url);'
    },
    plugins: [effectByModule]
  })
}
