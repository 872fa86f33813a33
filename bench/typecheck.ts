/**
 * `npm run bench:typecheck -- COMMIT`: what the compiler takes for an application of 200 operations over this library, beside
 * what it takes over the library at another commit, in one run.
 *
 * The application is generated, and is the same for both: twenty tables of ten columns, and every kind of operation there was
 * at the first of the two. What is compared is the CPU of whole runs of `tsc`, in turns.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import process from "node:process"
import { commandLine } from "../scripts/commandLine.js"
import { commitOf, unpacked } from "../scripts/earlier.js"
import { application } from "./typecheck/application.js"

const help = `npm run bench:typecheck -- COMMIT [OPTIONS]

CPU of tsc for an application of 200 operations: over this checkout, beside over COMMIT, in turns; medians.

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
  const folder = join(root, name, "package")
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

/** The application over a package, so that both find the same of everything else. */
const over = (name: string, library: string): string => {
  const folder = join(root, name, "application")
  mkdirSync(join(folder, "src"), { recursive: true })
  mkdirSync(join(folder, "node_modules", "@supabase"), { recursive: true })
  for (const each of ["effect", "@supabase/supabase-js", "@types"]) {
    symlinkSync(resolve("node_modules", each), join(folder, "node_modules", each))
  }
  symlinkSync(library, join(folder, "node_modules", "effect-supabase-pool"))
  for (const [file, text] of application(200)) writeFileSync(join(folder, file), text)
  return folder
}

/** Runs the compiler in a process that tells its own CPU at its end. */
const told = `process.on("exit", () => process.stdout.write("CPU: " + JSON.stringify(process.cpuUsage())))
process.argv.splice(1, 0, "tsc")
require(${JSON.stringify(resolve("node_modules/typescript/lib/tsc.js"))})`

/** Seconds of CPU, and how many types were instantiated. */
const measured = (folder: string): { readonly cpu: number; readonly instantiations: number } => {
  const said = execFileSync("node", ["-e", told, "--", "-p", folder, "--extendedDiagnostics"], { encoding: "utf8" })
  const [, user = "", system = ""] = /CPU: \{"user":(\d+),"system":(\d+)\}/.exec(said) ?? []
  return {
    cpu: (Number(user) + Number(system)) / 1e6,
    instantiations: Number(/^Instantiations:\s+(\d+)/m.exec(said)?.[1])
  }
}

const median = (all: ReadonlyArray<number>): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

rmSync(root, { recursive: true, force: true })
const before = over("before", packaged("before", archived()))
const now = over("now", packaged("now", resolve(".")))
const runs = Array.from({ length: rounds }, () => ({ before: measured(before), now: measured(now) }))
const ratio = median(runs.map((run) => run.now.cpu / run.before.cpu))
const [first] = runs
process.stdout.write(
  `type check of 200 operations: ${ratio.toFixed(2)} × (${median(runs.map((run) => run.now.cpu)).toFixed(1)} s, ` +
    `${median(runs.map((run) => run.before.cpu)).toFixed(1)}); instantiations ${first?.now.instantiations}, ${first?.before.instantiations}\n`
)
