/**
 * `npm run test:bundlers`: programs that import the package as it would be published, built by each bundler and run, and
 * the example for Next.js, built by both of its bundlers and served; all of it without the optional peers.
 */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { bundlers, tryBundler } from "./bundlers/bundle.js"
import { nextApps, tryNext } from "./bundlers/next.js"
import { Report } from "./bundlers/report.js"
import { serve } from "./bundlers/server.js"
import { type Users, users } from "./bundlers/users.js"
import { make } from "./bundlers/work.js"
import { commandLine } from "./commandLine.js"
import { install, type Node } from "./matrix/node.js"

const all: ReadonlyArray<string> = [...bundlers, ...nextApps]

const help = `npm run test:bundlers -- [options]

  --only webpack,next-turbopack   these, in place of all:
                                  ${bundlers.join(", ")},
                                  ${nextApps.join(", ")}
  --node 20,22,24                 run what was built on these versions of Node, and build with them what Next.js builds
  --newest                        the newest of each bundler, in place of those in test/bundlers/package-lock.json
  --keep                          leave the folder where everything was built, and say where it is
  --help                          this

Build the package first: npm run build.
Exit code: 0 when everything was built and ran, 1 when something did not, 2 when the options are wrong.`

const { refuse, values } = commandLine(help, {
  options: {
    only: { type: "string", multiple: true },
    node: { type: "string", multiple: true },
    newest: { type: "boolean" },
    keep: { type: "boolean" }
  }
})

const listed = (given: ReadonlyArray<string>): ReadonlyArray<string> =>
  given.flatMap((some) => some.split(",")).map((each) => each.trim())

const wanted = values.only === undefined ? all : listed(values.only)
const unknown = wanted.filter((name) => !all.includes(name))
if (unknown.length > 0) refuse(`--only: there is no "${unknown.join()}".`)
const versions = listed(values.node ?? [])
const wrong = versions.filter((version) => !/^\d+(\.\d+){0,2}$/.test(version))
if (wrong.length > 0) refuse(`--node: "${wrong.join()}" is no version. Write 22 or 22.12.0.`)
if (!existsSync("dist/promise.js")) refuse("There is no dist. Run `npm run build` first.")

const here: Node = { wanted: "", version: process.version, path: process.execPath }
const nodes: Array<Node> = versions.length === 0 ? [here] : []
for (const version of versions) nodes.push(await install(version, resolve(".scratch/matrix/node")))

const report = new Report()
const work = await make("test/bundlers", values.newest === true)
const database = await serve()
let signedIn: Promise<Users> | undefined
/** Started by the first that needs it. */
const usersOf = (): Promise<Users> => {
  signedIn ??= users()
  return signedIn
}
try {
  const names = ["esbuild", "webpack", "vite", "rollup", "rolldown", "tsup", "next"]
  const found = await Promise.all(names.map(async (name) => `${name} ${await work.versionOf(name)}`))
  process.stdout.write(`${found.join(", ")}\n\n`)
  for (const name of wanted) {
    if (nextApps.includes(name)) await tryNext(name, work, database, nodes, report, usersOf)
    else await tryBundler(name, work, database, nodes, report)
  }
} finally {
  database.close()
  await (await signedIn)?.database.stop()
  if (values.keep === true) process.stdout.write(`\nkept: ${work.folder}\n`)
  else await work.remove()
}
process.exitCode = report.end()
