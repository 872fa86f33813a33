/**
 * `npm run bench:against -- COMMIT`: what a read costs now, beside what it costs at another commit, in one run.
 *
 * The other commit's `src` is compiled with the bench of this checkout, so that nothing but the library differs.
 */
import { execFileSync } from "node:child_process"
import { cpSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { commandLine } from "../scripts/commandLine.js"
import { commitOf, unpacked } from "../scripts/earlier.js"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"

const help = `npm run bench:against -- COMMIT [OPTIONS]

Reads by Db.read and executeWithPool on 20 connections, with 20 callers (nobody waits) and with 80 (all wait their turn), in
no async context and in one: CPU of this checkout beside that of COMMIT, interleaved, medians of the rounds' own ratios.

  --rounds N   15 unless said otherwise
  --help       this text`

const { positionals, refuse, values } = commandLine(help, {
  allowPositionals: true,
  options: { rounds: { type: "string", default: "15" } }
})
const [given, ...more] = positionals
if (given === undefined || more.length > 0) refuse("Name one commit to compare with.")
const rounds = Number(values.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) refuse(`--rounds: "${values.rounds}" is no whole number from 1.`)

/** That commit with this bench, compiled. Unchecked: the bench may measure what that commit did not have. */
const compiled = (commit: string): string => {
  const folder = resolve(".scratch/against", commit)
  unpacked(commit, folder)
  rmSync(join(folder, "bench"), { recursive: true })
  cpSync("bench", join(folder, "bench"), { recursive: true })
  execFileSync("npx", ["tsc", "-p", "tsconfig.bench.json", "--noCheck"], { cwd: folder, stdio: "inherit" })
  return folder
}

const reads = [
  ["Db.read", "dbRead"],
  ["executeWithPool", "promiseRead"],
  ["Db.read in a context", "dbReadInContext"],
  ["executeWithPool in a context", "promiseReadInContext"]
] as const

const program = (folder: string) =>
  Effect.gen(function* () {
    const { url } = yield* server()
    for (const callers of [20, 80]) {
      for (const [name, made] of reads) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const now = yield* subject("now", "database", made, [url])
            const then = yield* subject("then", "database", made, [url], { checkout: folder })
            const seen = yield* interleave([now, then], { callers, operations: 6_000 }, rounds, () => Effect.void)
            const ratio = figure(seen.ratio("now", "then"), 3)
            const micros = `${figure(seen.of("now"))} µs, ${figure(seen.of("then"))}`
            yield* Console.log(`${`${name}, ${callers} callers`.padEnd(42)} ${ratio} × (${micros})`)
          })
        )
      }
    }
  }).pipe(Effect.scoped)

NodeRuntime.runMain(program(compiled(commitOf(given ?? "", refuse))))
