/**
 * `npm run test:matrix`: the suite on every Node that is supported, one after the other, and with other versions of
 * supabase-js where they are asked for. Each Node comes from the npm registry into `.scratch`, as a folder of its own.
 */
import { rm } from "node:fs/promises"
import { resolve } from "node:path"
import process from "node:process"
import { commandLine } from "./commandLine.js"
import { type Checkout, copied, here } from "./matrix/checkout.js"
import { install } from "./matrix/node.js"
import { type Outcome, suite } from "./matrix/suite.js"

const supported = ["20", "22", "24", "26"]

const help = `npm run test:matrix -- [options]

  --only 22,24              these versions of Node, in place of ${supported.join(", ")}; 20.19.0 is a version too
  --files test/db/Db.test.ts   these test files, in place of the whole suite; several may follow
  --supabase-js 2.119.1     with this supabase-js (several with commas), in a copy of the checkout, its types included
  --help                    this

Exit code: 0 when every run passed, 1 when one did not, 2 when the options are wrong.
What each run printed stays in .scratch/matrix.`

const { positionals, refuse, values } = commandLine(help, {
  allowPositionals: true,
  options: {
    only: { type: "string", multiple: true },
    files: { type: "string", multiple: true },
    "supabase-js": { type: "string", multiple: true }
  }
})
if (positionals.length > 0 && values.files === undefined)
  refuse(`"${positionals.join(" ")}" belongs to no option. Test files come after --files.`)

const version = /^\d+(\.\d+){0,2}$/
const versionsIn = (option: string, given: ReadonlyArray<string>): ReadonlyArray<string> => {
  const versions = given.flatMap((some) => some.split(",")).map((each) => each.trim())
  const wrong = versions.filter((each) => !version.test(each))
  return wrong.length === 0 ? versions : refuse(`${option}: "${wrong.join()}" is no version. Write 22 or 22.12.0.`)
}

const nodes = versionsIn("--only", values.only ?? supported)
const others = versionsIn("--supabase-js", values["supabase-js"] ?? [])
const files = [...(values.files ?? []), ...positionals]

const say = (line: string): boolean => process.stdout.write(`${line}\n`)

const columns = ["node    ", "supabase-js", "passed", "failed", "skipped", "seconds"]
const row = (cells: ReadonlyArray<string | number>): string =>
  `| ${cells.map((cell, index) => String(cell).padEnd(columns[index]?.length ?? 0)).join(" | ")} |`

const scratch = resolve(process.cwd(), ".scratch/matrix")
const outcomes: Array<Outcome> = []

const runAll = async (checkout: Checkout): Promise<void> => {
  for (const wanted of nodes) {
    const node = await install(wanted, resolve(scratch, "node"))
    say(`Node ${node.version}, supabase-js ${checkout.supabaseJs}, ${files.length === 0 ? "the whole suite" : files}`)
    const outcome = await suite(node, checkout, files, scratch)
    outcomes.push(outcome)
    say(`  ${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped in ${outcome.seconds} s`)
    for (const mistake of outcome.mistakes) say(`  ${mistake}`)
    if (outcome.mistakes.length > 0) say(`  All of it: ${outcome.log}`)
  }
}

if (others.length === 0) await runAll(await here())
for (const supabaseJs of others) {
  const checkout = await copied(supabaseJs)
  try {
    await runAll(checkout)
  } finally {
    await rm(checkout.path, { recursive: true, force: true })
  }
}

say("")
say(row(columns))
say(row(columns.map((column) => "-".repeat(column.length))))
for (const { failed, node, passed, seconds, skipped, supabaseJs } of outcomes)
  say(row([node, supabaseJs, passed, failed, skipped, seconds]))
process.exitCode = outcomes.every(({ mistakes }) => mistakes.length === 0) ? 0 : 1
