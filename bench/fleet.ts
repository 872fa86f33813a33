/** What do many processes do to one server, with and without a limit that each learns? */
import { Effect, type Scope } from "effect"
import { figure } from "./support/figures.js"
import { type BenchFailed, type SlotCounts, slotsServer, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"
import { type Outcome, simulate, type World } from "./support/simulation.js"

const processes = 8
const callers = 30
const slots = 10
const patience = 2_000
/** FLEET_SECONDS=10 is enough to see the direction. */
const millis = 1_000 * Number(process.env["FLEET_SECONDS"] ?? 30)

const peers = [
  ["stock supabase-js", "stock", []],
  ["this pool", "ours", ["off"]],
  ["adaptive", "ours", ["on"]]
] as const

type Peer = (typeof peers)[number]

interface Round extends Outcome {
  readonly failed: number
}

const outcomeOf = (
  delay: number,
  all: ReadonlyArray<{ readonly answered: number; readonly failed: number; readonly p99: number }>,
  { refused, refusedLate, requests }: SlotCounts
): Round => {
  const answered = all.map((one) => one.answered)
  const sum = answered.reduce((before, one) => before + one, 0)
  const ideal = Math.max(delay, (processes * callers * delay) / slots)
  return {
    goodput: (sum * delay) / (millis * slots),
    failed: all.reduce((before, one) => before + one.failed, 0),
    timedOut: 0,
    refused,
    refusedLate,
    fairness: Math.min(...answered) / Math.max(...answered),
    p99: Math.max(...all.map((one) => one.p99)) / ideal,
    sentPerSuccess: requests / sum
  }
}

const measured = (delay: number, [name, made, args]: Peer): Effect.Effect<Round, BenchFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { counts, url } = yield* slotsServer({ slots, delay, patience })
    const all = yield* Effect.all(
      Array.from({ length: processes }, (_, n) => subject(`${name} ${n}`, "fleet", made, [url, ...args])),
      { concurrency: 2 }
    )
    const figures = yield* Effect.all(
      all.map(({ ask }) => ask({ callers, millis })),
      { concurrency: "unbounded" }
    )
    return outcomeOf(
      delay,
      figures.map(({ answered = 0, failed = 0, p99 = 0 }) => ({ answered, failed, p99 })),
      yield* counts
    )
  })

const row = (what: string, name: string, { failed, ...seen }: Round): ReadonlyArray<string> => [
  what,
  name,
  figure(seen.goodput, 3),
  String(failed),
  String(seen.refused),
  String(seen.refusedLate),
  figure(seen.fairness, 2),
  `${figure(seen.p99, 2)} ×`,
  figure(seen.sentPerSuccess, 3)
]

/** Fewer callers where there are many processes: all of them together must be answered within the 30 s that a pool waits. */
const worlds: ReadonlyArray<Pick<World, "processes" | "callers" | "service">> = [
  { processes: 8, callers: 30, service: 20 },
  { processes: 8, callers: 30, service: 100 },
  { processes: 8, callers: 30, service: 300 },
  { processes: 50, callers: 30, service: 20 },
  { processes: 200, callers: 30, service: 20 },
  { processes: 2_000, callers: 5, service: 20 }
]

const simulated = (): ReadonlyArray<ReadonlyArray<string>> =>
  worlds.flatMap((world) =>
    [false, true].map((isAdaptive) => {
      const seen = simulate({ ...world, slots, patience, connections: 10, lasts: 30_000, isAdaptive })
      const what = `simulation: ${world.processes} of ${world.callers}, ${world.service} ms`
      return row(what, isAdaptive ? "adaptive" : "this pool", { ...seen, failed: seen.timedOut })
    })
  )

const goals = { goodput: 0.97, fairness: 0.95, p99: 1.3, sent: 1.02 } as const

const isMet = ({ failed, fairness, goodput, p99, refusedLate, sentPerSuccess }: Round): boolean =>
  goodput >= goals.goodput &&
  failed === 0 &&
  refusedLate === 0 &&
  fairness >= goals.fairness &&
  p99 <= goals.p99 &&
  sentPerSuccess <= goals.sent

export const question: Question = {
  name: "fleet",
  asks: `${processes} processes of ${callers} callers before one server with ${slots} slots, for ${millis / 1_000} s`,
  run: (progress) =>
    Effect.gen(function* () {
      const rows: Array<ReadonlyArray<string>> = []
      let adaptive: Round | undefined
      for (const delay of [20, 100, 300]) {
        for (const peer of peers) {
          yield* progress(`${peer[0]}, answers of ${delay} ms, ${millis / 1_000} s`)
          const seen = yield* Effect.scoped(measured(delay, peer))
          rows.push(row(`${delay} ms`, peer[0], seen))
          if (delay === 20 && peer[0] === "adaptive") adaptive = seen
        }
      }
      yield* progress("simulation")
      rows.push(...simulated())
      const seen = adaptive
      return {
        answers: [
          {
            id: "fleet",
            what: `${processes} adaptive processes, one server with ${slots} slots of 20 ms`,
            goal: `≥ ${goals.goodput} of the ideal, none failed, no PGRST003 after 3 s, fairness ≥ ${goals.fairness}, p99 ≤ ${goals.p99} × one queue, ≤ ${goals.sent} requests per success`,
            measured:
              seen === undefined
                ? "nothing"
                : `${figure(seen.goodput, 3)}, ${seen.failed} failed, ${seen.refusedLate} PGRST003, fairness ${figure(seen.fairness, 2)}, p99 ${figure(seen.p99, 2)} ×, ${figure(seen.sentPerSuccess, 3)} requests`,
            passed: seen !== undefined && isMet(seen)
          }
        ],
        table: {
          head: [
            "server's answers",
            "who",
            "of the ideal",
            "failed",
            "PGRST003",
            "after 3 s",
            "fairness",
            "p99 ÷ one queue's",
            "requests per success"
          ],
          rows
        },
        note: "A request that gets no slot within 2 s is answered PGRST003, and of those that wait anybody may be next, as in PostgREST. Fairness: fewest ÷ most answers of a process. One queue's: all callers of all processes in one line, first come first served. In the simulation (virtual time, the package's own limits) a failure is a caller that waited for longer than 30 s."
      }
    })
}
