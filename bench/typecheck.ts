/**
 * `npm run bench:typecheck -- COMMIT`: what the compiler takes for an application of 200 operations over this library, beside
 * what it takes over the library at another commit, and for the same queries over supabase-js alone, in one run.
 *
 * The application is generated, and is the same for both: twenty tables of ten columns, and every kind of operation there was
 * at the first of the two. What is compared is the CPU of whole runs of `tsc`, in turns.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"
import process from "node:process"
import { commandLine } from "../scripts/commandLine.js"
import { commitOf, unpacked } from "../scripts/earlier.js"
import { median } from "./support/figures.js"
import { type Compiled, compiled, operations, written } from "./typecheck/compiled.js"
import { libraries } from "./typecheck/libraries.js"

const help = `npm run bench:typecheck -- COMMIT [OPTIONS]

CPU of tsc for an application of ${operations} operations: over this checkout, beside over COMMIT and over supabase-js alone, in
turns; medians.

  --rounds N   5 unless said otherwise
  --help       this text`

const { positionals, refuse, values } = commandLine(help, {
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } }
})
const [given, ...more] = positionals
if (given === undefined || more.length > 0) refuse("Name one commit to compare with.")
const commit = commitOf(given ?? "", refuse)
const rounds = Number(values.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) refuse(`--rounds: "${values.rounds}" is no whole number from 1.`)

const root = resolve(".scratch/typecheck")
const tsc = resolve("node_modules/typescript/bin/tsc")

/** The declarations of the library whose sources are in a folder, as a package. */
const packaged = (name: string, sources: string): string => {
  const folder = join(root, name)
  mkdirSync(folder, { recursive: true })
  const options = ["--emitDeclarationOnly", "--outDir", join(folder, "dist")]
  execFileSync("node", [tsc, "-p", join(sources, "tsconfig.build.json"), ...options], { stdio: "inherit" })
  symlinkSync(resolve("package.json"), join(folder, "package.json"))
  symlinkSync(join(sources, "src"), join(folder, "src"))
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"))
  return folder
}

const archived = (): string => {
  const folder = join(root, "archive")
  unpacked(commit, folder)
  return folder
}

rmSync(root, { recursive: true, force: true })
const ours = packaged("now", resolve("."))
const before = written(libraries.effect, packaged("before", archived()), join(root, "overBefore"))
const now = written(libraries.effect, ours, join(root, "overNow"))
const alone = written(libraries.supabase, ours, join(root, "overSupabase"))
const runs = Array.from({ length: rounds }, () => ({
  before: compiled(before),
  now: compiled(now),
  alone: compiled(alone)
}))
type Run = (typeof runs)[number]

const line = (what: string, of: (run: Run) => Compiled): string => {
  const ratio = median(runs.map((run) => of(run).cpu / run.before.cpu)).toFixed(2)
  const cpu = median(runs.map((run) => of(run).cpu)).toFixed(1)
  return `${what.padEnd(24)} ${ratio} × (${cpu} s of CPU), ${median(runs.map((run) => of(run).instantiations))} instantiations\n`
}

process.stdout.write(
  `type check of ${operations} operations, beside ${commit.slice(0, 7)}:\n` +
    line("this checkout", (run) => run.now) +
    line(commit.slice(0, 7), (run) => run.before) +
    line("supabase-js alone", (run) => run.alone)
)
