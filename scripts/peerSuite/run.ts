/** The suite under Vitest, once, in one of the ways. */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Plugin } from "vite"
import { BaseSequencer, startVitest, type TestSpecification } from "vitest/node"
import type { Outcome, Run, Seen, Told, Way } from "./outcome.js"
import { start, type World } from "./world.js"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The suite's files change each other's rows: their order is part of what is compared. */
class Alphabetical extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return files.sort((one, other) => (one.moduleId < other.moduleId ? -1 : 1))
  }
}

/** The suite's address is written into its files, which stay as they are on the disk. */
const elsewhere = (checkout: string, url: string): Plugin => ({
  name: "peer-suite-address",
  enforce: "pre",
  transform: (code, id) =>
    id.startsWith(join(checkout, "test")) ? code.replaceAll("http://localhost:54321", url) : undefined
})

const shim = "\0peer-suite-client"

const isClient = /^\.\.\/src\/(?:index|PostgrestClient)$/

/** A client of supabase-js in place of the suite's own. */
const clientsOf = ({ anonKey, checkout, url, way }: Told): Plugin => ({
  name: "peer-suite-client",
  enforce: "pre",
  resolveId: (source, importer) =>
    isClient.test(source) && importer?.startsWith(join(checkout, "test")) === true ? shim : undefined,
  load: (id) => {
    if (id !== shim) return undefined
    const own = JSON.stringify(join(checkout, "src/index.ts"))
    const made = [way === "createPooledClient", url, anonKey].map((value) => JSON.stringify(value)).join(", ")
    return [
      `import { PostgrestClient as Own } from ${own}`,
      `import { clientClass } from ${JSON.stringify(here("clients.ts"))}`,
      `export * from ${own}`,
      `export const PostgrestClient = clientClass(Own, ${made})`,
      "export default PostgrestClient"
    ].join("\n")
  }
})

const seenIn = async (folder: string): Promise<ReadonlyMap<string, Seen>> => {
  const lines = (await readFile(join(folder, "seen.jsonl"), "utf8")).trim().split("\n")
  return new Map(lines.map((line): [string, Seen] => JSON.parse(line)))
}

/** Our own `zod` stands in for the suite's, whose version it also has. */
const zod = fileURLToPath(import.meta.resolve("zod/v3"))

const tested = async (told: Told): Promise<Run> => {
  const { checkout, url, way } = told
  const vitest = await startVitest(
    "test",
    [],
    {
      root: checkout,
      config: false,
      watch: false,
      globals: true,
      include: ["test/*.test.ts"],
      setupFiles: [here("setup.ts")],
      fileParallelism: false,
      sequence: { sequencer: Alphabetical },
      testTimeout: 30_000,
      hookTimeout: 60_000,
      reporters: [{}],
      provide: { peerSuite: told },
      typecheck: { enabled: false }
    },
    {
      plugins: [elsewhere(checkout, url), ...(way.startsWith("create") ? [clientsOf(told)] : [])],
      resolve: { alias: { zod } },
      // As text: an object would be added to the tsconfig of a repository that may not be there.
      esbuild: { tsconfigRaw: "{}" }
    }
  )
  const broken = vitest.state.getTestModules().flatMap((file) => file.errors())
  if (broken[0] !== undefined) throw new Error(`the suite cannot be loaded: ${broken[0].stack ?? broken[0].message}`)
  const seen = await seenIn(told.folder)
  const outcomes = new Map<string, Outcome>()
  for (const file of vitest.state.getTestModules()) {
    for (const test of file.children.allTests()) {
      const { requests, results } = seen.get(test.id) ?? { requests: [], results: [] }
      const passed = test.result().state === "passed"
      outcomes.set(test.id, { file: basename(file.moduleId), name: test.fullName, passed, requests, results })
    }
  }
  await vitest.close()
  return outcomes
}

/** Against a database of its own, on the port that all ways are given. */
export const runAs = async (way: Way, checkout: string, world: World, port: number): Promise<Run> => {
  const database = await start(world, port)
  const folder = await mkdtemp(join(tmpdir(), "peer-suite-"))
  try {
    const { anonKey, serviceRoleKey, url } = database
    return await tested({ way, checkout, url, anonKey, serviceRoleKey, folder })
  } finally {
    await database.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
