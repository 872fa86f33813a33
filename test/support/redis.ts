/** A real Redis on a port of its own, which a test may kill and start again. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"
import { closedPort } from "./tcpProxy.js"

export const isInstalled: boolean = spawnSync("redis-server", ["--version"]).status === 0

/** A skipped test says what it lacks. */
export const titled = (title: string): string =>
  isInstalled ? title : `${title} (skipped: apt-get install redis-server)`

export interface TestRedis {
  readonly url: string
  readonly start: Effect.Effect<void>
  /** As a crash ends it. */
  readonly kill: Effect.Effect<void>
  /** It is there, and says nothing until `resume`. */
  readonly freeze: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

const running = (port: number): Effect.Effect<ChildProcess> =>
  Effect.async((resume) => {
    const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"]
    const child = spawn("redis-server", options, { stdio: ["ignore", "pipe", "ignore"] })
    child.once("exit", (code) => resume(Effect.dieMessage(`redis-server ended with ${code} before it was ready`)))
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes("Ready to accept connections")) resume(Effect.succeed(child))
    })
  })

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

export const make: Effect.Effect<TestRedis, never, Scope.Scope> = Effect.gen(function* () {
  const port = yield* closedPort
  let child: ChildProcess | undefined
  const start = Effect.map(running(port), (started) => {
    child = started
  })
  const kill = Effect.suspend(() => (child === undefined ? Effect.void : ended(child)))
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void child?.kill(name))
  yield* Effect.acquireRelease(start, () => kill)
  return { url: `redis://127.0.0.1:${port}`, start, kill, freeze: signal("SIGSTOP"), resume: signal("SIGCONT") }
})
