/**
 * `npm run test:runtimes`: the package as it would be published, on each runtime and under each test runner that the
 * documentation names, with real requests to a small server.
 */
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"
import { Report, run } from "./bundlers/report.js"
import { type Database, serve } from "./bundlers/server.js"
import { make, type Work } from "./bundlers/work.js"
import { commandLine } from "./commandLine.js"

interface Trial {
  /** The package of the runtime or the runner, for its version. */
  readonly package?: string
  readonly command: ReadonlyArray<string>
  readonly in?: string
  readonly env?: Readonly<Record<string, string>>
  readonly says: ReadonlyArray<string>
  readonly fails?: boolean
}

const answers = [
  `"first":[{"id":"11111111-1111-4111-8111-111111111111","title":"Laptop"`,
  `"many":30`,
  `"written":true`,
  `"missing":"PGRST205"`
]

const mocked = [`"written":[{"body":"Grüße"}]`, `"key":"anon-key-of-a-spec"`]

const nodeModules = (path: string): string => join("node_modules", path)

const jest = nodeModules("jest/bin/jest.js")

const trials: Readonly<Record<string, Trial>> = {
  node: { command: [process.execPath, "query.mjs"], says: answers },
  bun: { package: "bun", command: [nodeModules(".bin/bun"), "query.mjs"], says: answers },
  deno: {
    package: "deno",
    command: [nodeModules(".bin/deno"), "run", "--allow-all", "--node-modules-dir=manual", "query.mjs"],
    says: answers
  },
  "jest-commonjs": {
    package: "jest",
    command: [process.execPath, join("..", jest), "--no-cache"],
    in: "jest-commonjs",
    says: ["1 passed"]
  },
  "jest-modules": {
    package: "jest",
    command: [process.execPath, "--experimental-vm-modules", join("..", jest)],
    in: "jest-modules",
    says: ["1 passed"]
  },
  msw: { package: "msw", command: [process.execPath, "msw.mjs"], says: mocked },
  nock: {
    package: "nock",
    command: [process.execPath, "nock.mjs"],
    says: [`"read":[{"id":8}]`, `"written":[{"id":9}]`, `"done":true`]
  },
  node10: {
    package: "typescript",
    command: [process.execPath, join("..", nodeModules("typescript/bin/tsc")), "-p", "."],
    in: "node10",
    says: []
  },
  ...Object.fromEntries(
    ["edge-light", "workerd"].map((condition): readonly [string, Trial] => [
      condition,
      {
        command: [process.execPath, `bundled-${condition}.mjs`],
        says: ["cannot run here", "node:net"],
        fails: true
      }
    ])
  )
}

const help = `npm run test:runtimes -- [options]

  --only bun,deno   these, in place of all: ${Object.keys(trials).join(", ")}
  --keep            leave the folder where everything was run, and say where it is
  --help            this

Build the package first: npm run build.
Exit code: 0 when everything ran, 1 when something did not, 2 when the options are wrong.`

const { refuse, values } = commandLine(help, {
  options: { only: { type: "string", multiple: true }, keep: { type: "boolean" } }
})
const wanted = values.only?.flatMap((some) => some.split(",")).map((each) => each.trim()) ?? Object.keys(trials)
const unknown = wanted.filter((name) => trials[name] === undefined)
if (unknown.length > 0) refuse(`--only: there is no "${unknown.join()}".`)
if (!existsSync("dist/promise.js")) refuse("There is no dist. Run `npm run build` first.")

const bundled = async (condition: string, work: Work): Promise<void> => {
  const esbuild = nodeModules("esbuild/bin/esbuild")
  const options = ["edge.mjs", "--bundle", "--format=esm", `--conditions=${condition}`]
  const { output } = await run(process.execPath, [esbuild, ...options], work.folder)
  await writeFile(join(work.folder, `bundled-${condition}.mjs`), output)
}

const tried = async (name: string, trial: Trial, work: Work, { env }: Database, report: Report): Promise<void> => {
  if (trial.command[1]?.startsWith("bundled-") === true) await bundled(name, work)
  const [command = "", ...args] = trial.command
  const cwd = join(work.folder, trial.in ?? ".")
  const { code, output } = await run(command, args, cwd, { ...env, ...trial.env, NO_COLOR: "1" })
  const version = trial.package === undefined ? "" : ` ${await work.versionOf(trial.package)}`
  report.expect(
    `${name}${version} ${trial.fails === true ? "says why it cannot" : "works"}`,
    (code === 0) !== (trial.fails === true),
    output
  )
  for (const words of trial.says) report.expect(`${name} says ${words}`, output.includes(words), output)
}

/** Puts the binary that npm has brought where its command looks for it: npm was told to run no script. */
const installBun = (work: Work) => run(process.execPath, ["install.js"], join(work.folder, "node_modules/bun"))

const report = new Report()
const work = await make("test/runtimes", false)
const database = await serve()
try {
  if (wanted.includes("bun")) await installBun(work)
  for (const name of wanted) {
    const trial = trials[name]
    if (trial !== undefined) await tried(name, trial, work, database, report)
  }
} finally {
  database.close()
  if (values.keep === true) process.stdout.write(`\nkept: ${work.folder}\n`)
  else await work.remove()
}
process.exitCode = report.end()
