import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = fileURLToPath(new URL("./src", import.meta.url))

/** Files that change or watch their whole process: its console, timers, warnings, globals, or how much memory it has. */
const alone: ReadonlyArray<string> = [
  "test/metrics/traces.test.ts",
  "test/promise/sentry.test.ts",
  "test/promise/traces.test.ts",
  "test/security/printed.test.ts"
]

export default defineConfig({
  resolve: {
    // Examples and the README import the package by its name; the tests run its source.
    alias: [
      { find: /^effect-supabase-pool$/, replacement: `${src}/index.ts` },
      { find: /^effect-supabase-pool\/react$/, replacement: `${src}/react.tsx` },
      { find: /^effect-supabase-pool\/(.*)$/, replacement: `${src}/$1.ts` }
    ]
  },
  test: {
    projects: [
      {
        extends: true,
        // All files of a worker share its process and modules: to load them again for each was a third of the work.
        test: {
          name: "together",
          isolate: false,
          include: ["test/**/*.test.ts", "examples/**/*.spec.ts"],
          exclude: ["**/node_modules/**", ...alone]
        }
      },
      { extends: true, test: { name: "alone", include: [...alone] } }
    ],
    globalSetup: ["test/support/globalEmbedded.ts"],
    setupFiles: ["test/support/freshIt.ts", "test/support/watchChildren.ts"],
    reporters: ["default", "./scripts/reliability.ts", "./scripts/secrets.ts", "./scripts/closingLine.ts"],
    // Vitest would keep a core for itself; but tests wait, for sockets and for programs that they start.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 20_000,
    hookTimeout: 60_000
  }
})
