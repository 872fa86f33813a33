/**
 * The Grafana board over a bad quarter of an hour, compressed to seconds: a real Prometheus scrapes a pool whose database
 * answers, hangs, fails and goes away, and each expression of the board has something to draw.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, Schedule, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import * as Metrics from "../../src/Metrics.js"
import * as Pool from "../../src/Pool.js"
import { json, layer, listening, problem, serve } from "../support/httpServer.js"
import { root } from "../support/program.js"
import { samplesOf } from "../support/prometheus.js"

const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0

/** Debian: in the package `prometheus`. */
const hasPrometheus = has("prometheus") && has("promtool")

const second = 1_000

/** Answers `/metrics` as a server of ours does. */
const exposed = Effect.gen(function* () {
  const server = createServer((_request, response) => {
    Effect.runPromise(Metrics.prometheus).then(
      (text) => response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text),
      () => response.writeHead(500).end()
    )
  })
  return yield* listening(server, [])
})

/** A free port, which nobody else takes in the moment between. */
const freePort = Effect.scoped(listening(createServer(), []))

/** Prometheus with its own folder, which scrapes the address ten times while one window of the board passes. */
const prometheus = (target: number): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "prometheus-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const port = yield* freePort
    const config = `{ global: { scrape_interval: 500ms, scrape_timeout: 500ms }, scrape_configs: [{ job_name: app, static_configs: [{ targets: ["127.0.0.1:${target}"] }] }] }`
    yield* Effect.promise(() => writeFile(join(folder, "prometheus.yml"), config))
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          "prometheus",
          [
            `--config.file=${join(folder, "prometheus.yml")}`,
            `--storage.tsdb.path=${join(folder, "data")}`,
            `--web.listen-address=127.0.0.1:${port}`,
            "--log.level=error"
          ],
          { stdio: "ignore" }
        )
      ),
      (child: ChildProcess) =>
        Effect.promise(async () => {
          if (child.exitCode !== null) return
          child.kill("SIGKILL")
          await once(child, "exit")
        })
    )
    const url = `http://127.0.0.1:${port}`
    const ready = Effect.tryPromise(() => fetch(`${url}/-/ready`)).pipe(
      Effect.filterOrFail(({ ok }) => ok),
      Effect.retry({ times: 200, schedule: Schedule.spaced("100 millis") }),
      Effect.orDie
    )
    yield* ready
    return url
  })

interface Answer {
  readonly data: {
    readonly result: ReadonlyArray<{ readonly metric: object; readonly values: ReadonlyArray<[number, string]> }>
  }
}

/** What an expression gave at some time of the run, over all of its series: numbers only. */
const drawn = (url: string, expr: string, from: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.promise(async () => {
    const query = expr.replaceAll("$__rate_interval", "5s").replaceAll("$instance", ".*")
    const asked = new URLSearchParams({ query, start: String(from), end: String(Date.now() / second), step: "1s" })
    const response = await fetch(`${url}/api/v1/query_range`, { method: "POST", body: asked })
    const { data }: Answer = await response.json()
    return data.result.flatMap(({ values }) => values.map(([, value]) => Number(value))).filter(Number.isFinite)
  })

const expressions = Effect.map(
  Effect.promise(() => readFile(`${root}docs/grafana-dashboard.json`, "utf8")),
  (text) => [...text.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, quoted = ""]): string => JSON.parse(quoted))
)

/** What is a count of trouble has to have counted some, and what is a share of it too. */
const isOfTrouble = (expr: string): boolean =>
  /timeouts|rejections|retries|leaks|connect_failures|longest_held|error_type!=/.test(expr)

const row = [{ id: 1 }]

const read = Db.read((client) => client.from("products").select("id"))
const write = Db.write((client) => client.from("orders").insert({ id: 1 }))

/** Callers that come for so long, ten a second each, whatever becomes of them. */
const callers = (millis: number) =>
  Effect.forEach(
    Array.from({ length: millis / 100 }, (_, n) => n * 100),
    (at) => {
      const asked = [Effect.exit(read), Effect.exit(read), Effect.exit(read), Effect.exit(write)]
      return Effect.delay(Effect.all(asked, { concurrency: "unbounded", discard: true }), at)
    },
    { concurrency: "unbounded", discard: true }
  )

const lint = (text: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.async((resume) => {
    const child = execFile("promtool", ["check", "metrics"], (_error, out, err) =>
      resume(Effect.succeed(`${out}${err}`.split("\n").filter((line) => line !== "")))
    )
    child.stdin?.end(text)
  })

describe("docs/grafana-dashboard.json", () => {
  it.live.skipIf(!hasPrometheus)(
    "has something to draw in each of its expressions, of a bad time that Prometheus scraped",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          let answer: (response: ServerResponse) => void = (response) => json(response, row)
          const server = yield* serve((response) => answer(response))
          const url = yield* prometheus(yield* exposed)
          const from = Date.now() / second
          const options = {
            maxConnections: 4,
            connectionTimeout: 200,
            requestTimeout: 400,
            leakDetectionTimeout: 300,
            maxPending: 3,
            maxRetries: 1,
            retryDelay: 20
          }
          yield* Effect.gen(function* () {
            yield* callers(4 * second)
            answer = () => {}
            yield* callers(4 * second)
            answer = (response) => problem(response, 503, "PGRST001")
            yield* callers(3 * second)
            // Everybody hangs up, and who connects is hung up on: the database is away.
            answer = (response) => response.destroy()
            const away = yield* Effect.forkScoped(
              Effect.forever(
                Effect.delay(
                  Effect.sync(() => {
                    for (const socket of server.sockets.values()) socket.destroy()
                  }),
                  5
                )
              )
            )
            yield* callers(3 * second)
            yield* away.interruptAsFork(away.id())
            answer = (response) => json(response, row)
            // Somebody forgets to give a connection back.
            yield* Effect.exit(
              Effect.flatMap(Pool.ReadPool, (pool) =>
                Effect.scoped(Effect.zipRight(pool.connection, Effect.sleep(800)))
              )
            )
            yield* callers(3 * second)
          }).pipe(Effect.provide(layer(server.url, options)), Logger.withMinimumLogLevel(LogLevel.None))
          const asked = yield* expressions
          expect(asked.length).toBeGreaterThan(15)
          const empty = yield* Effect.filter(asked, (expr) =>
            Effect.map(drawn(url, expr, from), (values) =>
              isOfTrouble(expr) ? !values.some((value) => value > 0) : values.length === 0
            )
          )
          expect(empty).toEqual([])
        })
      ),
    90_000
  )

  it.live.skipIf(!hasPrometheus)(
    "reads an exposition of which promtool says nothing but that names are OpenTelemetry's",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* serve((response) => json(response, row))
          const text = yield* read.pipe(Effect.zipRight(Metrics.prometheus), Effect.provide(layer(server.url)))
          const ours = text
            .split("\n")
            .filter((line) => /^(?:# \w+ )?(?:db_client|supabase)_/.test(line))
            .join("\n")
          expect(samplesOf(ours).length).toBeGreaterThan(20)
          // OpenTelemetry's conventions have the name.
          const [said = "", ...more] = yield* lint(`${ours}\n`)
          expect(said).toMatch(/^db_client_connection_count .* should not have "_count" suffix$/)
          expect(more).toEqual([])
        })
      )
  )
})
