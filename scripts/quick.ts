/**
 * `npm run test:quick`: the tests nearest to what was changed since the last commit. A module's tests are those that bear
 * its name, and those of its room that import it; where there are none, all of its room. `npm test` has the last word.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { commandLine } from "./commandLine.js"

const help = `npm run test:quick -- [options]

Runs the tests nearest to the files that git says were changed, added or not.

  --since main   changed since that commit; default: HEAD
  --list         prints the test files and runs none
  --help         this

Exit code: 0 when they passed or nothing was changed, 1 when one failed, 2 when the options are wrong.`

const { values } = commandLine(help, {
  options: { since: { type: "string", default: "HEAD" }, list: { type: "boolean" } }
})

const root = fileURLToPath(new URL("..", import.meta.url))

const git = (...args: ReadonlyArray<string>): ReadonlyArray<string> =>
  execFileSync("git", [...args], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((line) => line !== "")

const changed = [
  ...git("diff", "--name-only", "--diff-filter=d", values.since),
  ...git("ls-files", "--others", "--exclude-standard")
]

const isTest = (path: string): boolean => path.endsWith(".test.ts")

const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter(isTest)
  .map((name) => join("test", name))

/** What a test imports, from the root. */
const importsOf = (test: string): ReadonlyArray<string> =>
  [...readFileSync(join(root, test), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)\.js"/g)].map(([, path = ""]) =>
    normalize(join(dirname(test), path))
  )

const imports = new Map(tests.map((test) => [test, importsOf(test)] as const))

const nearest = (path: string): ReadonlyArray<string> => {
  if (isTest(path)) return [path]
  const module = path.replace(/\.tsx?$/, "")
  const room = /^src\/internal\/(\w+)\//.exec(path)?.[1]
  const named = tests.filter((test) => basename(test, ".test.ts") === basename(module))
  const importing = tests.filter((test) => imports.get(test)?.includes(module) === true)
  if (room === undefined) return path.startsWith("src/") ? named : importing
  // A fuzz takes a minute.
  const found = [...named, ...importing.filter((test) => test.startsWith(`test/${room}/`) && !test.includes("Fuzz"))]
  return found.length > 0 || !existsSync(join(root, "test", room)) ? found : [`test/${room}/`]
}

const found = [...new Set(changed.filter((path) => /\.tsx?$/.test(path)).flatMap(nearest))].sort()

if (found.length === 0) process.stdout.write("No test is near to what was changed. `npm test` runs them all.\n")
else {
  process.stdout.write(`${found.join("\n")}\n`)
  if (values.list !== true) {
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
    process.exitCode =
      spawnSync(process.execPath, [vitest, "run", ...found], { cwd: root, stdio: "inherit" }).status ?? 1
  }
}
