/** One run, and whether all that has to hold did. */
import { Clock, Console, Effect, Layer, Option } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Pool from "../../src/Pool.js"
import { json, serve } from "../../test/support/httpServer.js"
import { make as makeProxy, type TcpProxy } from "../../test/support/tcpProxy.js"
import { worker } from "./callers.js"
import { Ledger, tallies } from "./counted.js"
import { growth, heap, sampling } from "./heap.js"
import { connectionTimeout, maxRetries, requestTimeout, workers } from "./limits.js"
import { trouble } from "./trouble.js"

export type Check = readonly [what: string, found: string, isWell: boolean]

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

/** Executes what it is sent, and keeps the ledger. */
const database = (ledger: Ledger) =>
  Effect.gen(function* () {
    const server = yield* serve((response, { body, method }) => {
      ledger.requests += 1
      const text = body.toString("utf8")
      const id = /"id":"(\d+)"/.exec(text)?.[1]
      if (method === "POST" && id !== undefined) ledger.execute(id, text.includes("idempotent"))
      server.forget()
      json(response, [])
    })
    return server
  })

const pools = (url: string) =>
  Health.layer.pipe(
    Layer.provideMerge(Db.layer),
    Layer.provide(
      Config.layerOf({
        url,
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

/** Everything at once, for so long. */
const busy = (minutes: number, ledger: Ledger, proxy: TcpProxy) =>
  Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis
    const until = since + minutes * 60_000
    yield* Effect.forkScoped(trouble(proxy))
    yield* Effect.forkScoped(Effect.forever(Effect.delay(report(since), "30 seconds")))
    yield* Effect.forkScoped(sampling)
    yield* Effect.all(
      Array.from({ length: workers }, (_, n) => worker(ledger, until, `worker ${n}`)),
      { concurrency: "unbounded", discard: true }
    )
    yield* report(since)
  }).pipe(Effect.scoped)

const soak = (minutes: number) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const { port } = yield* database(ledger)
    const proxy = yield* makeProxy(port)
    return yield* Effect.gen(function* () {
      yield* busy(minutes, ledger, proxy)
      proxy.fault = { kind: "none" }
      return { ...(yield* atRest(proxy)), growth: growth(), ledger }
    }).pipe(Effect.provide(pools(proxy.url)))
  })

export const verdict = (minutes: number) =>
  Effect.map(Effect.scoped(soak(minutes)), ({ growth, ledger, lent, reachable, reclaimed, strayed, waiting }) => {
    const operations =
      tallies.succeeded + tallies.failed + tallies.rateLimited + tallies.overloaded + tallies.interrupted
    const checks: ReadonlyArray<Check> = [
      ["plain writes that were executed twice", `${ledger.twice}`, ledger.twice === 0],
      ["acknowledged writes that are missing", `${tallies.missing}`, tallies.missing === 0],
      ["writes that were executed although their error denies it", `${tallies.liars}`, tallies.liars === 0],
      ["operations that took longer than all their limits", `${tallies.slow}`, tallies.slow === 0],
      ["connections still lent", `${lent}`, lent === 0],
      ["callers still waiting", `${waiting}`, waiting === 0],
      ["sockets beside those of the pools", `${strayed}`, strayed <= 0],
      ["leaks, reclaimed", `${tallies.leaks}, ${reclaimed}`, reclaimed === tallies.leaks],
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
