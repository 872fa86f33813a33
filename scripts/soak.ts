/**
 * `npm run soak -- --minutes 10`: reads, writes, idempotent writes, interruptions, leaks, resets and a rate limit, all at
 * once, while the network breaks in every way that `test/support/tcpProxy.ts` knows and the database goes away now and
 * then. The database keeps a ledger. At the end there is a verdict, and the exit code is 1 where it is bad.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import process from "node:process"
import {
  Cause,
  Clock,
  Console,
  Duration,
  Effect,
  Exit,
  Layer,
  Logger,
  LogLevel,
  Option,
  Random,
  type Scope
} from "effect"
import * as Config from "../src/Config.js"
import * as Db from "../src/Db.js"
import * as Health from "../src/Health.js"
import * as Pool from "../src/Pool.js"
import * as RateLimit from "../src/RateLimit.js"
import { collect } from "../test/support/garbage.js"
import { json, serve } from "../test/support/httpServer.js"
import { type Fault, make as makeProxy, type TcpProxy } from "../test/support/tcpProxy.js"
import { commandLine } from "./commandLine.js"

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

const workers = 40
const requestTimeout = 1_000
const connectionTimeout = 2_000
const maxRetries = 3
/** All that an operation may take: waiting for a connection, each attempt, each delay; and the machine being busy. */
const longest = connectionTimeout + (maxRetries + 1) * requestTimeout + 3 * 400 + 5_000

const heap = Effect.sync(() => {
  collect()
  collect()
  return process.memoryUsage().heapUsed / 1_048_576
})

/** One every five seconds, in MB. */
const heapSamples: Array<number> = []

/**
 * From the second minute to the last, each at its lowest: single samples differ by what is under way, and by the
 * connections that ended in the last minute, of which Effect's `Pool` remembers 1 KB each (`test/faults/leaks.test.ts`).
 */
const heapGrowth = (): Option.Option<number> => {
  const perMinute = 12
  if (heapSamples.length < 4 * perMinute) return Option.none()
  return Option.some(
    Math.min(...heapSamples.slice(-perMinute)) - Math.min(...heapSamples.slice(perMinute, 2 * perMinute))
  )
}

/** Bits, not a set: hours of writes must not look like a leak. */
class Ledger {
  requests = 0
  twice = 0
  private readonly counts: Map<string, number> = new Map()

  execute(id: string, idempotent: boolean): void {
    const count = (this.counts.get(id) ?? 0) + 1
    this.counts.set(id, count)
    if (count > 1 && !idempotent) this.twice += 1
  }

  /** How often it was executed; and forgotten, since nobody will ask again. */
  settle(id: string): number {
    const count = this.counts.get(id) ?? 0
    this.counts.delete(id)
    return count
  }
}

const tallies = {
  succeeded: 0,
  interrupted: 0,
  rateLimited: 0,
  overloaded: 0,
  doubtful: 0,
  failed: 0,
  missing: 0,
  liars: 0,
  slow: 0,
  leaks: 0,
  resets: 0,
  outages: 0,
  faults: 0
}

const faults: ReadonlyArray<Fault> = [
  { kind: "silence" },
  { kind: "resetOnAccept" },
  { kind: "resetAfterRequest", bytes: 20 },
  { kind: "cutAnswer", bytes: 0, how: "reset" },
  { kind: "cutAnswer", bytes: 60, how: "end" },
  { kind: "byteByByte" },
  { kind: "drip", millis: 200 },
  { kind: "garbage", text: "SSH-2.0-OpenSSH_9.2\r\n\r\n" }
]

const pickFrom = <A>(items: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, items.length), (at) => {
    const item = items[at]
    if (item === undefined) throw new Error("nothing to pick from")
    return item
  })

/** Ids that the server must not forget until their caller has heard of them. */
let next = 0

const write = (ledger: Ledger, idempotent: boolean) =>
  Effect.suspend(() => {
    next += 1
    const id = `${next}`
    const row = { id, kind: idempotent ? "idempotent" : "plain" }
    const query = idempotent
      ? Db.write((client) => client.from("notes").upsert(row), { idempotent: true })
      : Db.write((client) => client.from("notes").insert(row))
    return Effect.onExit(inTime(query), (exit) =>
      Effect.sync(() => {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        const sure = Exit.isSuccess(exit) || error?.mayHaveExecuted === false
        if (!sure) {
          // It may still be executed, so it stays in the ledger, to be seen should that happen twice.
          tallies.doubtful += 1
          return
        }
        const executed = ledger.settle(id)
        if (Exit.isSuccess(exit) && executed === 0) tallies.missing += 1
        if (Exit.isFailure(exit) && executed > 0) tallies.liars += 1
      })
    )
  })

/** Counts an operation that outlasts its limits. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (since) =>
    Effect.ensuring(
      effect,
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (now - since > longest) tallies.slow += 1
      })
    )
  )

const read = inTime(Db.read((client) => client.from("notes").select("id")))

const count =
  (what: keyof typeof tallies) =>
  (given: Option.Option<unknown>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (Option.isNone(given)) tallies[what] += 1
    })

/** Held until the pool takes it back. */
const leak = Effect.scoped(
  Effect.flatMap(Pool.ReadPool, (pool) =>
    Effect.zipRight(
      Effect.sync(() => {
        tallies.leaks += 1
      }),
      Effect.zipRight(pool.connection, Effect.sleep("2500 millis"))
    )
  )
)

const operation = (ledger: Ledger): Effect.Effect<unknown, Db.DbError, Db.Provided> =>
  Effect.flatMap(Random.nextIntBetween(0, 1_000), (dice): Effect.Effect<unknown, Db.DbError, Db.Provided> => {
    if (dice < 500) return read
    if (dice < 750) return write(ledger, false)
    if (dice < 940) return write(ledger, true)
    if (dice < 990) return Effect.tap(Effect.timeoutOption(read, "1 millis"), count("interrupted"))
    if (dice < 998) return Effect.replicateEffect(RateLimit.withKey("greedy")(read), 30)
    return leak
  })

/** Many at once, so that some are refused. */
const burst = Effect.replicateEffect(
  Effect.tapError(read, (error) => count(outcomeOf(error))(Option.none())),
  400,
  {
    concurrency: "unbounded",
    discard: true
  }
).pipe(Effect.ignore)

const outcomeOf = (error: Db.DbError): keyof typeof tallies => {
  if (error._tag === "RateLimited") return "rateLimited"
  return error._tag === "PoolOverloaded" ? "overloaded" : "failed"
}

const outcome = (exit: Exit.Exit<unknown, Db.DbError>): keyof typeof tallies => {
  if (Exit.isSuccess(exit)) return "succeeded"
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return error === undefined ? "interrupted" : outcomeOf(error)
}

const worker = (ledger: Ledger, until: number, name: string): Effect.Effect<void, never, Db.Provided> =>
  Effect.gen(function* () {
    while ((yield* Clock.currentTimeMillis) < until) {
      const exit = yield* Effect.exit(RateLimit.withKey(name)(operation(ledger)))
      tallies[outcome(exit)] += 1
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 20)))
    }
  })

/** A fault for some connections every half second, a reset now and then, an outage of three seconds each minute. */
const trouble = (proxy: TcpProxy): Effect.Effect<void, never, Db.Provided | Scope.Scope> =>
  Effect.gen(function* () {
    for (let round = 1; ; round += 1) {
      yield* Effect.sleep("500 millis")
      const fault = yield* pickFrom(faults)
      tallies.faults += 1
      proxy.fault = fault
      const pool = yield* pickFrom([yield* Pool.ReadPool, yield* Pool.WritePool])
      if (round % 3 === 0) proxy.cut()
      if (round % 10 === 0) yield* Effect.forkScoped(RateLimit.withKey(`burst ${round}`)(burst))
      if (round % 4 === 0) {
        tallies.resets += 1
        yield* pool.reset
      }
      yield* Effect.sleep("150 millis")
      proxy.fault = { kind: "none" }
      if (round % 90 === 0) {
        tallies.outages += 1
        // The end of the run may come in the middle of it, and is no reason to stay away.
        yield* Effect.acquireUseRelease(
          Effect.zipRight(
            proxy.down,
            Effect.sync(() => proxy.cut())
          ),
          () => Effect.sleep("3 seconds"),
          () => proxy.up
        )
      }
    }
  })

const report = (since: number) =>
  Effect.gen(function* () {
    const seconds = Math.round(((yield* Clock.currentTimeMillis) - since) / 1_000)
    const { faults: broken, interrupted, overloaded, rateLimited, succeeded } = tallies
    const megabytes = (yield* heap).toFixed(1)
    yield* Console.log(
      `${seconds} s: ${succeeded} succeeded, ${tallies.failed} failed, ${tallies.doubtful} in doubt, ${rateLimited} rate limited, ` +
        `${overloaded} refused, ${interrupted} interrupted, ${broken} faults, heap ${megabytes} MB`
    )
  })

/** Back to rest: nothing lent, nobody waiting, as many sockets as the pools say, and healthy. */
const atRest = (proxy: TcpProxy) =>
  Effect.gen(function* () {
    yield* Effect.sleep("15 seconds")
    const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
    const metrics = yield* Effect.forEach(pools, (pool) => pool.metrics)
    const sum = (of: (metrics: Pool.PoolMetrics) => number) => metrics.reduce((total, each) => total + of(each), 0)
    return {
      lent: sum(({ active }) => active),
      waiting: sum(({ pending }) => pending),
      strayed: proxy.open() - sum(({ total }) => total),
      reclaimed: sum(({ leaks }) => leaks),
      reachable: (yield* Health.check).details.canConnect
    }
  })

const soak = Effect.gen(function* () {
  const ledger = new Ledger()
  const server = yield* serve((response, { body, method }) => {
    ledger.requests += 1
    const text = body.toString("utf8")
    const id = /"id":"(\d+)"/.exec(text)?.[1]
    if (method === "POST" && id !== undefined) ledger.execute(id, text.includes("idempotent"))
    server.forget()
    json(response, [])
  })
  const proxy = yield* makeProxy(server.port)
  const layer = Health.layer.pipe(
    Layer.provideMerge(Db.layer),
    Layer.provide(
      Config.layerOf({
        url: proxy.url,
        anonKey: "anon",
        serviceRoleKey: "service",
        minConnections: 4,
        maxConnections: 16,
        maxPending: 100,
        connectionTimeout,
        requestTimeout,
        maxRetries,
        retryDelay: 50,
        leakDetectionTimeout: "2 seconds",
        keepaliveInterval: "2 seconds",
        maxLifetime: "30 seconds",
        idleTimeout: "10 seconds",
        rateLimit: 100,
        healthCheckInterval: "2 seconds"
      })
    )
  )
  return yield* Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis
    const until = since + minutes * 60_000
    yield* Effect.forkScoped(trouble(proxy))
    yield* Effect.forkScoped(Effect.forever(Effect.delay(report(since), "30 seconds")))
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.delay(
          Effect.map(heap, (megabytes) => heapSamples.push(megabytes)),
          "5 seconds"
        )
      )
    )
    yield* Effect.all(
      Array.from({ length: workers }, (_, n) => worker(ledger, until, `worker ${n}`)),
      { concurrency: "unbounded", discard: true }
    )
    yield* report(since)
  }).pipe(
    Effect.scoped,
    Effect.zipRight(
      Effect.suspend(() => {
        proxy.fault = { kind: "none" }
        return Effect.map(atRest(proxy), (rest) => ({ ...rest, growth: heapGrowth(), ledger }))
      })
    ),
    Effect.provide(layer)
  )
})

const verdict = Effect.map(Effect.scoped(soak), ({ growth, ledger, lent, reachable, reclaimed, strayed, waiting }) => {
  const operations = tallies.succeeded + tallies.failed + tallies.rateLimited + tallies.overloaded + tallies.interrupted
  const checks: ReadonlyArray<readonly [what: string, found: string, isWell: boolean]> = [
    ["plain writes that were executed twice", `${ledger.twice}`, ledger.twice === 0],
    ["acknowledged writes that are missing", `${tallies.missing}`, tallies.missing === 0],
    ["writes that were executed although their error denies it", `${tallies.liars}`, tallies.liars === 0],
    ["operations that took longer than all their limits", `${tallies.slow}`, tallies.slow === 0],
    ["connections still lent", `${lent}`, lent === 0],
    ["callers still waiting", `${waiting}`, waiting === 0],
    ["sockets beside those of the pools", `${strayed}`, strayed <= 0],
    ["leaks, reclaimed", `${tallies.leaks}, ${reclaimed}`, reclaimed <= tallies.leaks],
    ["reachable at the end", reachable ? "yes" : "no", reachable],
    [
      "growth of the heap from the second minute to the last, each at its lowest",
      Option.match(growth, {
        onNone: () => "not judged in less than four minutes",
        onSome: (megabytes) => `${megabytes.toFixed(1)} MB`
      }),
      Option.getOrElse(growth, () => 0) < 16
    ],
    ["operations that succeeded", `${tallies.succeeded}`, tallies.succeeded > operations / 2]
  ]
  return { operations, requests: ledger.requests, checks }
})

interface Measured {
  readonly date: string
  readonly totals: string
  readonly sum: string
  readonly checks: ReadonlyArray<readonly [what: string, found: string, isWell: boolean]>
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
  const { checks, operations, requests } = yield* verdict
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
