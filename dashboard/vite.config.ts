import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
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
