/** One run of the suite by one Node, and what came of it. */
import { spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { delimiter, dirname, join, resolve } from "node:path"
import process from "node:process"
import type { JsonTestResults } from "vitest/reporters"
import type { Checkout } from "./checkout.js"
import type { Node } from "./node.js"

export interface Outcome {
  readonly node: string
  readonly supabaseJs: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  /** What went wrong, a line each. */
  readonly mistakes: ReadonlyArray<string>
  readonly log: string
}

/** Longer than the suite takes on a busy machine; it is ended then. */
const limit = 30 * 60_000

const versionPreload = resolve(process.cwd(), "scripts/matrix/version.cjs")

/** The binary comes first in PATH, so that what tests start by name is of the same version. */
const environment = (node: Node, versions: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${dirname(node.path)}${delimiter}${process.env["PATH"] ?? ""}`,
  NODE_OPTIONS: `--require ${JSON.stringify(versionPreload)}`,
  MATRIX_VERSIONS: versions,
  NO_COLOR: "1"
})

const run = (node: Node, args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv, log: string) =>
  new Promise<string>((done, fail) => {
    const output = createWriteStream(log, { flags: "a" })
    const child = spawn(node.path, args, { cwd, env, timeout: limit, stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.pipe(output, { end: false })
    child.stderr.pipe(output, { end: false })
    child.once("error", fail)
    child.once("close", (code, signal) => output.end(() => done(signal ?? `${code}`)))
  })

const failuresIn = ({ testResults }: JsonTestResults): ReadonlyArray<string> =>
  testResults.flatMap(({ assertionResults, message, name }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed")
    if (failed.length === 0 && message !== "") return [`${name}: ${message.split("\n")[0]}`]
    return failed.map(
      ({ failureMessages, fullName }) => `${fullName}: ${(failureMessages ?? []).join().split("\n")[0]}`
    )
  })

const linesOf = (path: string): Promise<ReadonlyArray<string>> =>
  readFile(path, "utf8").then(
    (text) => text.split("\n").filter((line) => line !== ""),
    () => []
  )

/** With a checkout of another supabase-js, its types are held against the sources too: they are part of the API. */
const typeMistakes = async (node: Node, { path }: Checkout, env: NodeJS.ProcessEnv, log: string) => {
  const code = await run(node, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], path, env, log)
  return code === "0" ? [] : [`types: tsc ended with ${code}`]
}

export const suite = async (
  node: Node,
  checkout: Checkout,
  files: ReadonlyArray<string>,
  folder: string
): Promise<Outcome> => {
  await mkdir(folder, { recursive: true })
  const name = join(folder, `node-${node.version}-supabase-js-${checkout.supabaseJs}`)
  const [log, report, versions] = [`${name}.log`, `${name}.json`, `${name}.versions`]
  await Promise.all([report, versions].map((path) => rm(path, { force: true })))
  await writeFile(log, "")
  const env = environment(node, versions)
  const types = checkout.path === process.cwd() ? [] : await typeMistakes(node, checkout, env, log)
  const reporters = ["default", "json", "./scripts/closingLine.ts"].map((reporter) => `--reporter=${reporter}`)
  const since = Date.now()
  const args = ["node_modules/vitest/vitest.mjs", "run", ...reporters, `--outputFile.json=${report}`, ...files]
  const ended = await run(node, args, checkout.path, env, log)
  const seconds = Math.round((Date.now() - since) / 1_000)
  const results: JsonTestResults | undefined = await readFile(report, "utf8").then(JSON.parse, () => undefined)
  const others = (await linesOf(versions)).filter((version) => version !== node.version)
  const failures = results === undefined ? [] : failuresIn(results)
  const mistakes = [
    ...types,
    ...failures,
    ...(others.length === 0 ? [] : [`${others.length} processes of the run were ${[...new Set(others)].join(", ")}`]),
    ...(ended !== "0" && failures.length === 0 ? [`vitest ended with ${ended}`] : [])
  ]
  return {
    node: node.version,
    supabaseJs: checkout.supabaseJs,
    passed: results?.numPassedTests ?? 0,
    failed: failures.length,
    skipped: (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0),
    seconds,
    mistakes,
    log
  }
}
