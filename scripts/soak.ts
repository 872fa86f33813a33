/**
 * `npm run soak -- --minutes 10`: reads, writes, idempotent writes, interruptions, leaks, resets and a rate limit, all at
 * once, while the network breaks in most ways that `test/support/tcpProxy.ts` knows and the database goes away now and
 * then. The database keeps a ledger. At the end there is a verdict, and the exit code is 1 where it is bad.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import process from "node:process"
import { Clock, Console, Effect, Logger, LogLevel } from "effect"
import { commandLine } from "./commandLine.js"
import { tallies } from "./soak/counted.js"
import { workers } from "./soak/limits.js"
import { type Check, verdict } from "./soak/verdict.js"

const help = `npm run soak -- [options]

  --minutes 10    how long, at most 1,440
  --write-docs    puts date, command, machine, figures and verdict below the marker in docs/reliability.md
  --help          this

Exit code: 0 when all holds, 1 when something does not, 2 when the options are wrong.`

const { refuse, values } = commandLine(help, {
  options: {
    minutes: { type: "string", default: "10" },
    "write-docs": { type: "boolean", default: false }
  }
})
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 1_440)) refuse(`--minutes ${values.minutes} cannot be. Give --minutes 10, for example.`)

interface Measured {
  readonly date: string
  readonly totals: string
  readonly sum: string
  readonly checks: ReadonlyArray<Check>
}

/** Below what the tests have shown, which `scripts/reliability.ts` writes. */
const writeDocs = ({ checks, date, sum, totals }: Measured): void => {
  const page = new URL("../docs/reliability.md", import.meta.url)
  const marker = "<!-- measured -->"
  const [shown = ""] = readFileSync(page, "utf8").split(marker)
  const text = `## Soak

\`npm run soak -- --minutes ${minutes} --write-docs\`, ${date}, Node ${process.versions.node}, ${availableParallelism()} cores, ${workers} callers at a time. Everything
at once: reads, writes, bursts, leaks, resets and a rate limit, under faults and outages.

${totals}; ${sum}.

| what | found | holds |
| --- | --- | --- |
${checks.map(([what, found, isWell]) => `| ${what} | ${found} | ${isWell ? "yes" : "NO"} |`).join("\n")}
`
  writeFileSync(page, `${shown.trimEnd()}\n\n${marker}\n\n${text}`)
}

const main = Effect.gen(function* () {
  yield* Console.log(`soak: ${minutes} minutes, ${workers} workers`)
  const { checks, operations, requests } = yield* verdict(minutes)
  const { faults: broken, outages, resets } = tallies
  const totals = `${operations} operations, ${requests} requests at the database, ${broken} faults, ${outages} outages, ${resets} resets, ${tallies.doubtful} writes in doubt`
  yield* Console.log(totals)
  for (const [what, found, isWell] of checks) yield* Console.log(`${isWell ? "ok  " : "FAIL"} ${what}: ${found}`)
  const isWell = checks.every(([, , holds]) => holds)
  const sum = isWell ? "verdict: all holds" : "verdict: BROKEN"
  yield* Console.log(sum)
  if (values["write-docs"]) {
    const date = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10)
    yield* Effect.sync(() => writeDocs({ date, totals, sum, checks }))
  }
  return isWell ? 0 : 1
}).pipe(Logger.withMinimumLogLevel(LogLevel.None))

process.exitCode = await Effect.runPromise(Effect.orDie(main))
