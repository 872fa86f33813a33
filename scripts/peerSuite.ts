/**
 * `npm run test:peer-suite -- PATH`: postgrest-js's own suite, with the platform's `fetch` and with ours, against the
 * same server in the same state. What a test awaits has to end alike.
 */
import { readFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import process from "node:process"
import { commandLine } from "./commandLine.js"
import {
  compare,
  type Difference,
  difference,
  type Outcome,
  type Run,
  reasonOf,
  type Way
} from "./peerSuite/outcome.js"
import { runAs } from "./peerSuite/run.js"
import { worldOf } from "./peerSuite/world.js"

/** Ours, and what it has to be like. */
const pairs = { pooledFetch: "fetch", createPooledClient: "createClient" } as const

type Ours = keyof typeof pairs

const help = `npm run test:peer-suite -- PATH [options]

  PATH                 postgrest-js in a checkout: .../supabase-js/packages/core/postgrest-js
  --only pooledFetch   this way of ours, in place of both: ${Object.keys(pairs).join(", ")}
  --verbose            also print of each test that differs what it saw in both ways
  --help               this

The server is an embedded database with the suite's own tables and rows, a new one for each way. It is no PostgREST: of
what it cannot answer, the answer has to be the same all the same. The tests' own assertions are counted too.
Exit code: 0 when every test saw the same but for what is meant, 1 when one did not, 2 when the options are wrong.`

const { positionals, refuse, values } = commandLine(help, {
  allowPositionals: true,
  options: { only: { type: "string" }, verbose: { type: "boolean" } }
})

const isOurs = (name: string): name is Ours => Object.hasOwn(pairs, name)

const wanted = (values.only ?? Object.keys(pairs).join()).split(",").filter((name): name is Ours => {
  return isOurs(name) || refuse(`--only: there is no "${name}".`)
})

const [path, ...rest] = positionals
if (path === undefined || rest.length > 0) refuse("One PATH is needed.")
const checkout = resolve(path ?? "")
const world = (await worldOf(checkout)) ?? refuse(`${checkout} has no suite of postgrest-js with its SQL.`)
/** The source says no version. */
const version = /^##? \[?(\d+\.\d+\.\d+)/m.exec(
  await readFile(join(checkout, "CHANGELOG.md"), "utf8").catch(() => "")
)?.[1]

/** The same for all ways, since answers may name it. */
const freePort = (): Promise<number> =>
  new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => found(port))
    })
  })

const port = await freePort()
const runs = new Map<Way, Run>()

const run = async (way: Way): Promise<Run> => {
  const known = runs.get(way)
  if (known !== undefined) return known
  process.stderr.write(`${way} …\n`)
  const outcomes = await runAs(way, checkout, world, port)
  runs.set(way, outcomes)
  return outcomes
}

const print = (line = ""): void => void process.stdout.write(`${line}\n`)

const keyOf = ({ file, name }: Outcome): string => `${file}: ${name}`

const stock = await run("fetch")
/** What the suite's first way sees otherwise the second time, tells the time of day or something like it. */
const unsteady = new Set(compare(stock, await run("fetch again")).differing.map(({ stock: one }) => keyOf(one)))

/** Tests that asked the server; the others bring a `fetch` of their own, or ask nobody. */
const overHttp = new Set([...stock].flatMap(([key, { requests }]) => (requests.length > 0 ? [key] : [])))

const those = (all: Run, ask: boolean): Run => new Map([...all].filter(([key]) => overHttp.has(key) === ask))

const passed = (all: Run): number => [...all.values()].filter((one) => one.passed).length

const show = (one: Difference): void => {
  const reason = unsteady.has(keyOf(one.stock)) ? "differs by itself, with stock fetch too" : reasonOf(one)
  print(
    `  ${reason === undefined ? "NOT MEANT" : "meant"}  ${keyOf(one.stock)}${reason === undefined ? "" : ` (${reason})`}`
  )
  if (reason !== undefined && values.verbose !== true) return
  const [theirs, ours] = difference(one)
  print(`      stock: ${theirs}`)
  print(`      ours:  ${ours}`)
}

let faults = 0

print(`postgrest-js, whose changelog begins with ${version ?? "no version"}: ${stock.size} tests`)
print()
print(
  "| ours               | beside       | tests                | same | meant to differ | faults | hold: stock | ours |"
)
print(
  "| ------------------ | ------------ | -------------------- | ---- | --------------- | ------ | ----------- | ---- |"
)
const details: Array<readonly [Ours, ReadonlyArray<Difference>]> = []
for (const ours of wanted) {
  const [theirs, mine] = [await run(pairs[ours]), await run(ours)]
  for (const ask of [true, false]) {
    const tests = those(theirs, ask)
    const { differing, same } = compare(tests, mine)
    const wrong = differing.filter((one) => !unsteady.has(keyOf(one.stock)) && reasonOf(one) === undefined)
    faults += wrong.length
    details.push([ours, differing])
    const row = [
      ours.padEnd(18),
      pairs[ours].padEnd(12),
      `${tests.size} ${ask ? "ask the server" : "do not"}`.padEnd(20),
      String(same.length).padStart(4),
      String(differing.length - wrong.length).padStart(15),
      String(wrong.length).padStart(6),
      String(passed(tests)).padStart(11),
      String(passed(those(mine, ask))).padStart(4)
    ]
    print(`| ${row.join(" | ")} |`)
  }
}
for (const [ours, differing] of details) {
  print()
  print(`${ours}: ${differing.length} differ`)
  for (const one of differing) show(one)
}
process.exitCode = faults === 0 ? 0 : 1
