import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** A suite that is run by `test/security/printed.test.ts`, without a database. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: {
    include: ["prints.ts"],
    setupFiles: ["../watchChildren.ts"],
    reporters: ["default", "../../../scripts/secrets.ts"]
  }
})
