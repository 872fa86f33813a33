import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Console, Deferred, Effect, Fiber } from "effect"
import { run as command } from "../../src/internal/cli/command.js"

/** A project's folder, with one table and one row. */
const project = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = await mkdtemp(join(tmpdir(), "supabase-pool-"))
    await mkdir(join(path, "migrations"))
    await writeFile(
      join(path, "migrations", "20260101000000_lamps.sql"),
      "create table lamps (id int primary key, name text not null); grant select on lamps to anon;"
    )
    await writeFile(join(path, "seed.sql"), "insert into lamps values (1, 'a desk lamp');")
    return path
  }),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** Runs the command in this process until it has printed its lines, or has ended. */
const started = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const console = yield* Console.consoleWith(Effect.succeed)
    const said = yield* Deferred.make<string, string>()
    const tell = (...words: ReadonlyArray<unknown>) => Effect.asVoid(Deferred.succeed(said, words.join(" ")))
    const running = yield* command(["embedded", ...args]).pipe(
      Effect.withConsole({ ...console, log: tell, error: tell }),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
      Effect.provide(NodeContext.layer),
      Effect.onExit((exit) => Deferred.fail(said, exit._tag === "Failure" ? Cause.pretty(exit.cause) : "ended")),
      Effect.forkScoped
    )
    return { text: yield* Effect.merge(Deferred.await(said)), stop: Fiber.interrupt(running) }
  })

const variable = (text: string, name: string): string => new RegExp(`^${name}=(\\S+)$`, "m").exec(text)?.[1] ?? ""

describe("supabase-pool embedded", () => {
  it.scopedLive(
    "serves the tables and rows of one's own project",
    () =>
      Effect.gen(function* () {
        const path = yield* project
        const { stop, text } = yield* started(
          "--port=0",
          "--migrations",
          join(path, "migrations"),
          "--seed",
          join(path, "seed.sql")
        )
        const apikey = variable(text, "SUPABASE_ANON_KEY")
        const rows = yield* Effect.promise(() =>
          fetch(`${variable(text, "SUPABASE_URL")}/rest/v1/lamps?select=name`, { headers: { apikey } }).then((answer) =>
            answer.json()
          )
        )
        assert.deepStrictEqual(rows, [{ name: "a desk lamp" }])
        yield* stop
      }),
    60_000
  )

  it.scopedLive("says which directory cannot be read, and leaves nothing open", () =>
    Effect.gen(function* () {
      const { text } = yield* started("--port=0", "--migrations", "no/such/folder")
      assert.match(text, /no\/such\/folder cannot be read \(ENOENT/)
      assert.include(text, "Nothing was left open. Look at the paths given")
    })
  )
})
