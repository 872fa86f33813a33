/**
 * A PostgreSQL server of our own: the machine's programs, a temporary folder, a free port of loopback, a new password.
 * With the end of its scope, and with the end of this process however it ends, the server and the folder are gone.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { access, chown, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { EmbeddedStartFailed, wordsOf } from "./startFailed.js"
import { randomSecret } from "./token.js"

export interface PostgresServerOptions {
  /** Settings of `postgresql.conf`, over those for data that nobody keeps. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

export interface PostgresServer {
  /** The connection string of its superuser. */
  readonly url: Redacted.Redacted
  /** Its major version: `15`. */
  readonly version: string
}

/** The folder goes with the server, so nothing has to survive the machine. */
const throwaway: Readonly<Record<string, string>> = {
  fsync: "off",
  full_page_writes: "off",
  max_connections: "100",
  max_wal_size: "256MB"
}

const failed = (reason: string) => (cause: unknown) =>
  new EmbeddedStartFailed({ stage: "server", reason: `${reason} (${wordsOf(cause)})`, cause })

// -------------------------------------------------------------------------------------
// the programs
// -------------------------------------------------------------------------------------

const debian = "/usr/lib/postgresql"

const isThere = (path: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    access(path).then(
      () => true,
      () => false
    )
  )

const hasAll = (folder: string): Effect.Effect<boolean> =>
  Effect.every(["initdb", "postgres"], (program) => isThere(join(folder, program)))

/** Debian keeps each version in a folder of its own, and off the PATH. The newest one is taken, then the PATH's. */
const folders: Effect.Effect<ReadonlyArray<string>> = Effect.gen(function* () {
  const versions = yield* Effect.promise(() => readdir(debian).catch(() => []))
  const path = yield* Effect.orElseSucceed(Config.string("PATH"), () => "")
  return [
    ...versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, "bin")),
    ...path.split(delimiter).filter((folder) => folder !== "")
  ]
})

/** Where PostgreSQL's programs are, if they are. */
export const postgresPrograms: Effect.Effect<Option.Option<string>> = Effect.flatMap(folders, (all) =>
  Effect.findFirst(all, hasAll)
)

const programs: Effect.Effect<string, EmbeddedStartFailed> = Effect.flatMap(
  postgresPrograms,
  Option.match({
    onNone: () =>
      Effect.fail(
        new EmbeddedStartFailed({ stage: "binaries", reason: "PostgreSQL is not installed on this machine" })
      ),
    onSome: Effect.succeed
  })
)

// -------------------------------------------------------------------------------------
// whom it runs as
// -------------------------------------------------------------------------------------

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root: then it is the user whom its Debian package makes, or nobody. */
const owner: Effect.Effect<Owner | undefined, EmbeddedStartFailed> = Effect.gen(function* () {
  if (process.getuid?.() !== 0) return undefined
  const text = yield* Effect.tryPromise({
    try: () => readFile("/etc/passwd", "utf8"),
    catch: failed("no user was found for PostgreSQL, which refuses to run as root")
  })
  const users = text.split("\n").map((line) => line.split(":"))
  const [, , uid, gid] = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? []
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) }
})

const folder = (user: Owner | undefined): Effect.Effect<string, EmbeddedStartFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const path = await mkdtemp(join(tmpdir(), "supabase-pool-postgres-"))
        if (user !== undefined) await chown(path, user.uid, user.gid)
        return path
      },
      catch: failed("no temporary folder could be made")
    }),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )

// -------------------------------------------------------------------------------------
// processes
// -------------------------------------------------------------------------------------

interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly user: Owner | undefined
}

/** In a session of its own, so that Ctrl-C reaches whoever started it, and the server by way of them. */
const started = ({ args, program, user }: Command, cwd: string): ChildProcess =>
  spawn(program, args, {
    cwd,
    ...user,
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }
  })

/** What it wrote to standard error when it ended, if it ended badly. */
const ended = (child: ChildProcess): Effect.Effect<void, EmbeddedStartFailed> =>
  Effect.async((resume) => {
    const said: Array<string> = []
    child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()))
    child.once("error", (cause) => resume(Effect.fail(failed("PostgreSQL did not start")(cause))))
    child.once("close", (code) =>
      resume(code === 0 ? Effect.void : Effect.fail(failed("PostgreSQL did not start")(said.join("").trim())))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/**
 * The server, and a watch that stops it when standard input ends, which it does however this process ends, by SIGKILL
 * too. A server that was stopped takes its folder with it. A client that stalls while it logs in must not hold up the
 * end: five seconds later the server does not ask any more.
 */
const watched = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server"; sleep 5; kill -QUIT "$server"; } 2>/dev/null &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
[ "$code" -ne 0 ] || rm -rf "$PWD"
exit "$code"
`

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const freePort: Effect.Effect<number, EmbeddedStartFailed> = Effect.async((resume) => {
  const server = createServer()
  server.once("error", (cause) => resume(Effect.fail(failed("no free port was found")(cause))))
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Listens until the server says that it is ready, and on, so that it never waits for a reader. */
const ready = (child: ChildProcess): Effect.Effect<void, EmbeddedStartFailed> =>
  Effect.async((resume) => {
    const said: Array<string> = []
    const over = (cause: unknown): void => resume(Effect.fail(failed("PostgreSQL did not start")(cause)))
    child.once("error", over)
    child.once("exit", () => over(said.slice(-5).join(" ")))
    if (child.stderr === null) return over("it has no standard error")
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (said.length < 100) said.push(line)
      if (line.includes("database system is ready to accept connections")) resume(Effect.void)
    })
  })

const running = (
  bin: string,
  data: string,
  cwd: string,
  user: Owner | undefined,
  options: PostgresServerOptions
): Effect.Effect<number, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const port = yield* freePort
    const settings = Object.entries({ ...throwaway, ...options.settings }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`
    ])
    const command = [join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", "", ...settings]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => started({ program: "/bin/sh", args: ["-c", watched, "sh", ...command], user }, cwd)),
      (server) =>
        Effect.zipRight(
          Effect.sync(() => server.stdin?.end()),
          exited(server)
        )
    )
    yield* ready(child)
    return port
  })

/** Somebody else may take the port between its being found free and its being listened on. */
const again = Schedule.recurs(2)

/**
 * Starts one. Fails with the stage `binaries` when PostgreSQL is not installed. It listens on 127.0.0.1 only, wants a
 * password that is new with each start, and keeps nothing: by default not even over a crash of the machine.
 */
export const postgresServer = (
  options: PostgresServerOptions = {}
): Effect.Effect<PostgresServer, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const bin = yield* programs
    const user = yield* owner
    const cwd = yield* folder(user)
    const data = join(cwd, "data")
    const password = randomSecret()
    const passwordFile = join(cwd, "password")
    yield* Effect.tryPromise({
      try: async () => {
        await writeFile(passwordFile, password, { mode: 0o600 })
        if (user !== undefined) await chown(passwordFile, user.uid, user.gid)
      },
      catch: failed("the temporary folder cannot be written")
    })
    const init = ["-D", data, "-U", "postgres", "-A", "scram-sha-256", `--pwfile=${passwordFile}`, "-E", "UTF8", "-N"]
    yield* Effect.suspend(() =>
      ended(started({ program: join(bin, "initdb"), args: [...init, "--locale=C.UTF-8"], user }, cwd))
    )
    const port = yield* Effect.retry(running(bin, data, cwd, user, options), again)
    const version = yield* Effect.promise(() => readFile(join(data, "PG_VERSION"), "utf8"))
    return { url: Redacted.make(`postgres://postgres:${password}@127.0.0.1:${port}/postgres`), version: version.trim() }
  }).pipe(Effect.withSpan("embedded.postgresServer"))
