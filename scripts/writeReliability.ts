/** `npm run docs:reliability`: runs the tests that docs/reliability.md is made from, and has the page written. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"

const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name))
  .filter((path) => readFileSync(path, "utf8").includes("support/reliability.js"))

const vitest = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...tests], {
  stdio: "inherit",
  env: { ...process.env, RELIABILITY: "write" }
})
vitest.once("exit", (code) => {
  process.exitCode = code ?? 1
})
