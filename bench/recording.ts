/**
 * What recording costs an operation, in two ways, each interleaved with the same loop without recording.
 *
 * - *alone*: what `Metrics` and the pool's ledger do for one operation (shape of the query, time series, windows, percentiles,
 *   wait and use time), called in a loop over a mix of ten queries with ever new values.
 * - *whole*: `Db.read` from end to end on a handler in place of the network, metrics on and off, in CPU time. It is the
 *   truer figure and the noisier one: the difference of two loops of tens of µs.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Exit, Layer, ManagedRuntime } from "effect"
import { commandLine } from "../scripts/commandLine.js"
import * as Config from "../src/Config.js"
import * as Db from "../src/Db.js"
import { observerOf } from "../src/internal/metrics/observer.js"
import * as PoolInstruments from "../src/internal/metrics/poolInstruments.js"
import { Queries } from "../src/internal/metrics/queries.js"
import * as Metrics from "../src/Metrics.js"
import { collect } from "../test/support/garbage.js"
import { median } from "./support/figures.js"

const limitMicros = 3

const rounds = 41

const alonePerRound = 50_000

const wholePerRound = 1_000

const help = `npm run bench:recording [-- --json]

What recording costs an operation, in µs: the median of ${rounds} interleaved pairs of loops, with and without; and what its
figures hold.

  --json   one line of JSON in place of the table
  --help   this text

Exit code: 0 when it is below ${limitMicros} µs alone, 1 when it is not, 2 when the options are wrong.`

const database = { url: "http://db.test", anonKey: "anon", serviceRoleKey: "service" }

const cpuMicros = (since: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(since)
  return system + user
}

interface Compared {
  readonly withMicros: number
  readonly withoutMicros: number
  readonly costMicros: number
  readonly ratio: number
}

/** Pairs of rounds, in turn begun by the one and the other, so that neither has the warmer machine. */
const compared = (
  operations: number,
  on: () => Promise<void> | void,
  off: () => Promise<void> | void
): Effect.Effect<Compared> =>
  Effect.promise(async () => {
    const measure = async (loop: () => Promise<void> | void): Promise<number> => {
      const since = process.cpuUsage()
      await loop()
      return cpuMicros(since) / operations
    }
    const pairs: Array<readonly [number, number]> = []
    for (let round = 0; round < rounds + 4; round += 1) {
      const first = await measure(round % 2 === 0 ? on : off)
      const second = await measure(round % 2 === 0 ? off : on)
      // The first rounds are the compiler's.
      if (round >= 4) pairs.push(round % 2 === 0 ? [first, second] : [second, first])
    }
    const withMicros = median(pairs.map(([one]) => one))
    const withoutMicros = median(pairs.map(([, other]) => other))
    const costMicros = median(pairs.map(([one, other]) => one - other))
    return { withMicros, withoutMicros, costMicros, ratio: withMicros / withoutMicros }
  })

const paths = (n: number): string => {
  const table = ["products", "orders", "users", "shops", "profiles"][n % 5]
  return n % 2 === 0
    ? `/rest/v1/${table}?select=id%2Ctitle%2Cprice&category=eq.value-${n}&price=lt.${n}&order=price.asc&limit=${n}`
    : `/rest/v1/${table}?select=*&id=eq.${n}&limit=1`
}

const exit = Exit.succeed([])

/** As the end of an operation calls it; `enabled` only decides whether anybody listens. */
const aloneLoop = (metrics: Metrics.OperationMetrics, periods: PoolInstruments.Periods | undefined) => () => {
  const observe = observerOf(metrics)
  for (let n = 0; n < alonePerRound; n += 1) {
    const sent = { method: "GET", path: paths(n), requests: 1 }
    observe({ mode: "read", duration: (n % 1_000) / 20, exit, sent, retries: 0 })
    periods?.waited(0)
    periods?.used((n % 1_000) / 20)
  }
}

const metricsWith = (enableMetrics: boolean) =>
  Effect.provide(Metrics.Metrics, Metrics.layer.pipe(Layer.provide(Config.layerOf({ ...database, enableMetrics }))))

const alone = Effect.gen(function* () {
  const on = yield* metricsWith(true)
  const off = yield* metricsWith(false)
  const periods = PoolInstruments.periods("read", database.url)
  return yield* compared(alonePerRound, aloneLoop(on, periods), aloneLoop(off, undefined))
})

/** Megabytes that 100 shapes hold whose durations have varied over four decades in every stretch of a day. */
const memory = Effect.sync(() => {
  const heap = (): number => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  const queries = new Queries(database.url, { slowAfter: 500, maxShapes: 100 })
  const minutes = 25 * 60
  for (let n = 0; n < minutes * 100 * 4; n += 1) {
    const sent = { method: "GET", path: `/rest/v1/table${n % 100}?id=eq.${n}`, requests: 1 }
    const duration = Math.exp(((n * 7_919) % 9_000) / 1_000 - 2)
    queries.record((n * 60_000) / 400, duration, "read", sent, good)
  }
  const megabytes = Math.round((heap() - before) / 100_000) / 10
  return { megabytes, shapes: queries.all.length }
})

const good = { errorType: "", statusCode: "", isError: false, isFailure: false }

const body = JSON.stringify([{ id: 1, title: "a row" }])

const wholeLoop = (enableMetrics: boolean) => {
  const answer = (): Response => new Response(body, { headers: { "content-type": "application/json" } })
  const runtime = ManagedRuntime.make(Db.layerTest(answer, { enableMetrics, keepaliveInterval: 0 }))
  const loop = (n: number): Effect.Effect<void, Db.DbError, Db.ReadDb> =>
    n === wholePerRound
      ? Effect.void
      : Effect.zipRight(
          Db.read((client) => client.from("products").select("id, title").eq("id", n).limit(1)),
          Effect.suspend(() => loop(n + 1))
        )
  return { run: () => runtime.runPromise(loop(0)), close: runtime.disposeEffect }
}

const whole = Effect.gen(function* () {
  const on = yield* Effect.acquireRelease(
    Effect.sync(() => wholeLoop(true)),
    ({ close }) => close
  )
  const off = yield* Effect.acquireRelease(
    Effect.sync(() => wholeLoop(false)),
    ({ close }) => close
  )
  return yield* compared(wholePerRound, on.run, off.run)
}).pipe(Effect.scoped)

const rounded = (value: number): string => value.toFixed(2)

const line = (name: string, { costMicros, ratio, withMicros, withoutMicros }: Compared): string =>
  `${name}  ${rounded(costMicros)} µs an operation; ${rounded(withMicros)} with, ${rounded(withoutMicros)} without, ×${rounded(ratio)}`

const { values } = commandLine(help, { options: { json: { type: "boolean", default: false } } })

const main = Effect.gen(function* () {
  const since = yield* Clock.currentTimeMillis
  const outcome = { alone: yield* alone, whole: yield* whole, memory: yield* memory }
  const passed = outcome.alone.costMicros < limitMicros
  const seconds = ((yield* Clock.currentTimeMillis) - since) / 1_000
  yield* Console.log(
    values.json
      ? JSON.stringify({ passed, seconds, rounds, ...outcome })
      : [
          `${passed ? "PASS" : "FAIL"}  ${line("alone", outcome.alone)} (below ${limitMicros})`,
          `      ${line("whole", outcome.whole)}`,
          `      memory ${outcome.memory.megabytes} MB of ${outcome.memory.shapes} shapes that were busy all day`
        ].join("\n")
  )
  if (!passed) process.exitCode = 1
})

NodeRuntime.runMain(main)
