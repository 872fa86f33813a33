/** `npm run test:entry`: the tests of the Promise API, with the published file in the place of its source. */
import { resolve } from "node:path"
import { mergeConfig } from "vitest/config"
import base from "../../vitest.config.js"

const isEntry = /(^|\/)src\/promise\.js$|^effect-supabase-pool\/promise$/

export default mergeConfig(base, {
  root: resolve(import.meta.dirname, "../.."),
  plugins: [
    {
      name: "published-entry",
      enforce: "pre",
      resolveId: (source: string) =>
        isEntry.test(source) ? { id: resolve("dist/promise.js"), external: true } : undefined
    }
  ]
})
