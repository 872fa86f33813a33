/** Each bundler makes one file of a program and all that it needs, and Node runs it where nothing is installed. */
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Node } from "../matrix/node.js"
import { type Report, run } from "./report.js"
import type { Database } from "./server.js"
import type { Work } from "./work.js"

export const bundlers = [
  "esbuild-esm",
  "esbuild-cjs",
  "webpack",
  "vite-ssr",
  "rollup",
  "rolldown",
  "tsup-esm",
  "tsup-cjs"
] as const

const says = {
  promise: "read Laptop",
  index: "read Laptop beside the routes",
  redis: "Run: npm install redis"
} as const

/** The warnings about this package, of which there should be none; a bundler's own are its own. */
const complaints = (output: string): string =>
  output
    .split("\n")
    .filter((line) => line.includes("effect-supabase-pool/"))
    .join("\n")

export const tryBundler = async (
  name: string,
  work: Work,
  database: Database,
  nodes: ReadonlyArray<Node>,
  report: Report
): Promise<void> => {
  const folder = join(work.bundles, name)
  await mkdir(folder)
  for (const app of ["promise", "index", "redis"] as const) {
    const made = await run(process.execPath, ["bundle.mjs", name, `apps/${app}.mjs`, folder], work.folder)
    const built = made.code === 0 && complaints(made.output) === ""
    if (!report.expect(`${name} bundles ${app}`, built, made.output)) continue
    const file =
      made.output
        .trim()
        .split("\n")
        .filter((line) => line.startsWith(folder))
        .at(-1) ?? ""
    for (const node of nodes) {
      const ran = await run(node.path, [file], folder, database.env)
      const right = ran.code === 0 && ran.output.includes(says[app])
      report.expect(`  and it runs on Node ${node.version}`, right, ran.output)
    }
    if (app === "redis") await whereInstalled(file, nodes, report)
  }
}

/** An optional peer that is installed beside the bundle is found there. A stand-in, since nobody is to be reached. */
const whereInstalled = async (file: string, nodes: ReadonlyArray<Node>, report: Report): Promise<void> => {
  const redis = join(dirname(file), "node_modules/redis")
  await mkdir(redis, { recursive: true })
  await writeFile(join(redis, "package.json"), JSON.stringify({ name: "redis", version: "6.0.0", main: "index.cjs" }))
  const client = "{ on() {}, destroy() {}, connect: () => new Promise(() => {}) }"
  await writeFile(join(redis, "index.cjs"), `exports.createClient = () => (${client})\n`)
  for (const node of nodes) {
    const ran = await run(node.path, [file], dirname(file))
    const right = ran.output.includes("redis was loaded")
    report.expect(`  and it finds redis where that is installed, on Node ${node.version}`, right, ran.output)
  }
}
