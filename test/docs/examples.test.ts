import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import process from "node:process"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { program, root, runProgram } from "../support/program.js"

/** What each prints when it did its work. */
const examples: ReadonlyArray<readonly [path: string, output: RegExp]> = [
  ["examples/rls/main.ts", /^Liam buys: 201\nLiam asks 20 times: 0 answers .* own orders\nWith a forged token: 401$/m],
  ["examples/worker/main.ts", /^500 prices reduced by 10 %$/m],
  ["examples/opentelemetry/main.ts", /^received:\n {2}db\.client\.connection\.count\n[\s\S]*^ {2}span GET \/cheapest$/m]
]

describe("examples", () => {
  for (const [path, expected] of examples) {
    it.live(
      `${path} runs to its end`,
      () =>
        Effect.gen(function* () {
          const { failed, output } = yield* runProgram(path)
          assert.isFalse(failed, output)
          assert.match(output, expected)
        }),
      90_000
    )
  }

  const services = [
    ["http-service", "/laptops?max=900", /^\[\{"title":"[^"]+","price":\d/, "/api/health/database"],
    ["shop", "/products", /^\[\{"id":"[^"]+","title":"A lamp"/, "/internal/api/health/database"]
  ] as const

  it.scopedLive.each(services)(
    "examples/%s/main.ts serves its own routes beside the pool's, and ends when it is asked to",
    ([name, own, answer, ours]) =>
      Effect.gen(function* () {
        const port = yield* freePort
        const service = yield* running(`examples/${name}/main.ts`, { PORT: `${port}` })
        yield* line(service, `http://127.0.0.1:${port}`)
        const [answered, health] = yield* Effect.all(
          [own, ours].map((path) =>
            Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`).then((response) => response.text()))
          )
        )
        assert.match(answered ?? "", answer)
        assert.match(health ?? "", /"status":"connected"/)
        assert.deepStrictEqual(yield* ended(service), { signal: null })
      }),
    90_000
  )
})

const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address === null || typeof address === "string") throw new Error("the server has no port")
    server.close(() => resume(Effect.succeed(address.port)))
  })
})

const running = (path: string, env: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program(path)], {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Waits for a line that has this text. */
const line = ({ stdout }: { readonly stdout: NodeJS.ReadableStream }, text: string): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    createInterface({ input: stdout }).on("line", (each) => {
      if (each.includes(text)) resume(Effect.void)
    })
  }).pipe(Effect.timeout("60 seconds"), Effect.orDie)

/** With the signal that ended it: null when it ended by itself. */
const ended = (child: ChildProcess): Effect.Effect<{ readonly signal: string | null }> =>
  Effect.async<{ readonly signal: string | null }>((resume) => {
    child.once("exit", (_, signal) => resume(Effect.succeed({ signal })))
    child.kill("SIGTERM")
  }).pipe(Effect.timeout("20 seconds"), Effect.orDie)
