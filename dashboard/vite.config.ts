import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { brotliCompress, gzip } from "node:zlib"
import { defineConfig, type Plugin } from "vite"
import { page } from "./markdown.js"

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Compressed once, here, and not by the server. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  writeBundle: async ({ dir = "." }, bundle) => {
    const names = Object.keys(bundle).filter((name) => /\.(?:js|css)$/.test(name))
    for (const name of names) {
      const path = join(dir, name)
      const body = await readFile(path)
      await writeFile(`${path}.br`, await promisify(brotliCompress)(body))
      await writeFile(`${path}.gz`, await promisify(gzip)(body))
    }
  }
}

/** In place of `help.ts`: the address of the page that the banner leads to, beside the other hashed files. */
const troubleshooting: Plugin = {
  name: "troubleshooting",
  async load(id) {
    if (id !== at("help.ts")) return undefined
    const source = page(await readFile(at("../docs/troubleshooting.md"), "utf8"))
    const reference = this.emitFile({ type: "asset", name: "troubleshooting.html", source })
    return `export const help = import.meta.ROLLUP_FILE_URL_${reference}`
  }
}

export default defineConfig({
  plugins: [compressed, troubleshooting],
  root: at("."),
  // Relative, so that the page may be mounted anywhere.
  base: "./",
  resolve: { alias: { "effect-supabase-pool/react": at("../src/react.tsx") } },
  publicDir: false,
  build: {
    outDir: at("../dist/dashboard"),
    emptyOutDir: true,
    // A folder with a name of its own, which `Http.routes` can put into anybody's server.
    assetsDir: "supabase-pool",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    // The component is marked for Next.js, which bundles it itself; a page has no other side.
    rollupOptions: {
      onwarn: (warning, warn) => {
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE" && warning.code !== "SOURCEMAP_ERROR") warn(warning)
      }
    },
    // React and Effect; fetched once.
    chunkSizeWarningLimit: 600
  }
})
