import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { HttpServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Config from "../../src/Config.js"
import { frame, line, type Screen } from "../../src/internal/cli/top/frame.js"
import { Told } from "../../src/internal/feed/client.js"
import { empty, next, type View } from "../../src/internal/feed/view.js"
import { Sample } from "../../src/internal/feed/wire.js"
import { server as countingServer } from "../support/countingServer.js"
import { program } from "../support/program.js"
import { sample, samples } from "../support/samples.js"
import { served } from "../support/served.js"

const screen: Screen = { columns: 100, rows: 30, colour: false, url: "http://127.0.0.1:3000", now: 0 }

const seen = (told: ReadonlyArray<Told>): View => told.reduce((view, each) => next(view, each, 0), empty)

const busy = sample({
  read: { active: 9, idle: 1, pending: 12, leaks: 1, longestHeld: 1_500 },
  status: "degraded",
  reasons: ["utilization is 90 %, more than 80 %"]
})

describe("the screen of supabase-pool top", () => {
  it("shows both pools, what waits, what was slow, and why the pool is degraded", () => {
    const view = seen([Told.Connected({ process: "a", resumed: false }), Told.Sample({ sample: busy })])
    const lines = frame(view, { ...screen, columns: 120 })
    const text = lines.join("\n")
    expect(lines[0]).toContain("degraded")
    expect(text).toContain("utilization is 90 %")
    expect(text).toMatch(
      /read pool +█{22}▒{2} +9 active, 1 idle of 10 · 12 waiting · 1 leak since start · longest held 1.5 s/
    )
    expect(text).toMatch(/write pool +▒{12}·{12} +0 active, 5 idle of 10/)
    expect(text).toContain("p95 20 ms")
  })

  it("fits the screen, however small, and has no colour where none is wanted", () => {
    const view = seen([
      ...samples(80).map((each) => Told.Sample({ sample: each })),
      ...Array.from({ length: 50 }, (_, index) =>
        Told.Happened({
          id: String(index),
          event: {
            type: "leaked",
            pool: "read",
            connectionId: "read-1",
            at: 0,
            holder: "x".repeat(200),
            held: 1,
            age: 1,
            reason: ""
          }
        })
      )
    ])
    for (const columns of [20, 40, 80, 200]) {
      for (const rows of [2, 10, 24, 50]) {
        const lines = frame(view, { ...screen, columns, rows })
        expect(lines.length).toBeLessThan(Math.max(2, rows))
        for (const each of lines) expect([...each].length).toBeLessThanOrEqual(columns)
        expect(lines.join("")).not.toContain("\u001B")
      }
    }
    expect(frame(view, { ...screen, colour: true }).join("")).toContain("\u001B[31m")
  })

  it("says since when there is no news", () => {
    const view = seen([Told.Sample({ sample: busy }), Told.Lost({ reason: "the connection was cut" })])
    expect(frame(view, { ...screen, columns: 200 })[0]).toMatch(/no news since .*the connection was cut; trying again/)
  })

  it("is one line for a pipe", () => {
    expect(line(busy)).toMatch(/degraded {2}read 9\/10 {2}write 0\/10 {2}waiting 12/)
  })
})

const start = (args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program("src/bin.ts"), "top", ...args], {
        env: { PATH: String(process.env["PATH"]), ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Nothing more when it ended. */
const nextLine = (child: ChildProcess) =>
  Effect.promise(async () => {
    for await (const text of createInterface({ input: child.stdout ?? process.stdin })) return text
    return ""
  })

const exit = (child: ChildProcess) =>
  Effect.promise(async () => {
    const errors: Array<string> = []
    child.stderr?.on("data", (chunk) => errors.push(String(chunk)))
    const [code] = await once(child, "close")
    return { code: Number(code), errors: errors.join("") }
  })

describe("supabase-pool top", () => {
  const layer = Effect.map(countingServer, ({ port }) =>
    served(
      Config.SupabaseConfig.layerOf({
        url: `http://127.0.0.1:${port}`,
        anonKey: "anon-never-printed",
        serviceRoleKey: "service-never-printed"
      }),
      {
        adminToken: "top-token-never-printed"
      }
    )
  )
  const withServer = <A, E>(use: (address: string) => Effect.Effect<A, E>) =>
    Effect.flatMap(layer, (services) => Effect.provide(HttpServer.addressFormattedWith(use), services))

  it.scopedLive("gives JSON line by line until Ctrl-C, which is no error; the address of the dashboard is enough", () =>
    Effect.scoped(
      withServer((address) =>
        Effect.gen(function* () {
          const child = yield* start(["--json", "--url", `${address}/#token=top-token-never-printed`])
          const first = yield* Schema.decode(Schema.parseJson(Sample))(yield* nextLine(child))
          expect(first.read.max).toBe(10)
          child.kill("SIGINT")
          expect((yield* exit(child)).code).toBe(0)
        }).pipe(Effect.scoped)
      )
    )
  )

  it.scopedLive(
    "ends after one sample with --once; refused, it says why and ends with 1, and never shows the token",
    () =>
      Effect.scoped(
        withServer((address) =>
          Effect.gen(function* () {
            const good = yield* start(["--once", "--url", address], { DB_POOL_ADMIN_TOKEN: "top-token-never-printed" })
            const bad = yield* start(["--url", address, "--token", "wrong-token-never-printed"])
            const [text, { code }, refused] = yield* Effect.all([nextLine(good), exit(good), exit(bad)], {
              concurrency: "unbounded"
            })
            expect(text).toMatch(/healthy {2}read 0\/10/)
            expect(code).toBe(0)
            expect(refused.code).toBe(1)
            expect(refused.errors).toContain("refuses the token")
            expect(refused.errors).not.toContain("wrong-token-never-printed")
          }).pipe(Effect.scoped)
        )
      )
  )

  it.scopedLive("ends with 1 where nobody listens, and where there is no token", () =>
    Effect.gen(function* () {
      const { port } = yield* countingServer
      const away = yield* start(["--once", "--url", "http://127.0.0.1:1", "--token", "x"])
      const alone = yield* start(["--once", "--url", "http://127.0.0.1:1"])
      const bare = yield* start(["--once", "--url", `http://127.0.0.1:${port}`])
      const [nobody, nothing, noToken] = yield* Effect.all([exit(away), exit(alone), exit(bare)], {
        concurrency: "unbounded"
      })
      expect([nobody.code, nothing.code, noToken.code]).toEqual([1, 1, 1])
      for (const { errors } of [nobody, nothing]) {
        expect(errors).toContain("Nothing answers at http://127.0.0.1:1")
        expect(errors).not.toContain("token")
      }
      expect(noToken.errors).toContain("DB_POOL_ADMIN_TOKEN")
    })
  )
})
