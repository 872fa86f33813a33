/** What `supabase-pool check` finds of what people hit, over real HTTP: each with its fix. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command } from "@effect/cli"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Console, Effect, Schema, type Scope } from "effect"
import { check } from "../../src/internal/cli/check.js"
import { expectedVersion } from "../../src/internal/cli/findings.js"
import { migrationFile } from "../../src/internal/transaction/run.js"
import { type Answer, json, serve } from "../support/httpServer.js"
import { root } from "../support/program.js"
import { oldMigrationFile } from "../support/scratch.js"

const Report = Schema.parseJson(
  Schema.Struct({
    ok: Schema.Boolean,
    findings: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        ok: Schema.Boolean,
        detail: Schema.String,
        remedy: Schema.String,
        checked: Schema.optional(Schema.Boolean),
        warning: Schema.optional(Schema.Boolean)
      })
    )
  })
)

const keys = { SUPABASE_ANON_KEY: "anon-key-never-printed", SUPABASE_SERVICE_ROLE_KEY: "service-key-never-printed" }

/** The report of `check --json` in this environment, by the names of its findings. */
const reportIn = (environment: Record<string, string>) =>
  Effect.gen(function* () {
    const console = yield* Console.consoleWith(Effect.succeed)
    const said: Array<string> = []
    const log = (...words: ReadonlyArray<unknown>) => Effect.sync(() => said.push(words.join(" ")))
    yield* Command.run(check, { name: "check", version: "0" })(["node", "check", "--json"]).pipe(
      Effect.exit,
      Effect.withConsole({ ...console, log }),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment)))),
      Effect.provide(NodeContext.layer)
    )
    const { findings, ok } = yield* Schema.decode(Report)(said.join("\n"))
    expect(said.join("\n")).not.toContain("never-printed")
    return { ok, of: (name: string) => findings.find((finding) => finding.name === name), findings }
  })

const openApi = (version: string | undefined, ...tables: ReadonlyArray<string>) => ({
  swagger: "2.0",
  info: { title: "standard public schema", ...(version === undefined ? {} : { version }) },
  definitions: Object.fromEntries(tables.map((table) => [table, { type: "object" }]))
})

interface Project {
  readonly date?: Date
  readonly server?: string
  readonly version?: string
  /** Rows of a table, for those who may read them. */
  readonly rows?: Readonly<Record<string, number>>
  /** Tables that the anon key may read. */
  readonly open?: ReadonlyArray<string>
  readonly maxRows?: number
}

/** Plays a PostgREST with these tables. */
const project =
  ({ date, maxRows = 1_000_000, open = [], rows = {}, server, version }: Project = {}): Answer =>
  (response, { headers, url }) => {
    const { pathname, searchParams } = new URL(url, "http://localhost")
    if (date !== undefined) response.setHeader("date", date.toUTCString())
    if (server !== undefined) response.setHeader("server", server)
    const table = pathname.replace("/rest/v1/", "")
    if (table === "") return json(response, openApi(version, ...Object.keys(rows)))
    if (table === "rpc/supabase_pool_ping") return json(response, true)
    if (table === "rpc/supabase_pool_version") return json(response, expectedVersion)
    const isService = headers["apikey"] === keys.SUPABASE_SERVICE_ROLE_KEY
    const all = isService || open.includes(table) ? (rows[table] ?? 0) : 0
    const from = Number(searchParams.get("offset") ?? 0)
    const count = Math.max(0, Math.min(all - from, maxRows, Number(searchParams.get("limit") ?? maxRows)))
    response.writeHead(200, { "content-range": count === 0 ? "*/*" : `${from}-${from + count - 1}/*` }).end()
  }

const checked = (answer: Answer, more: Record<string, string> = {}) =>
  Effect.flatMap(serve(answer), ({ url }) => reportIn({ SUPABASE_URL: url, ...keys, ...more }))

/** Runs in a folder of its own, as a project would be. */
const inFolder = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const before = process.cwd()
      const path = await mkdtemp(join(tmpdir(), "supabase-pool-check-"))
      process.chdir(path)
      return { before, path }
    }),
    ({ before, path }) =>
      Effect.promise(async () => {
        process.chdir(before)
        await rm(path, { recursive: true })
      })
  ).pipe(Effect.zipRight(effect))

describe("supabase-pool check finds", () => {
  it.scopedLive("nothing of a project that is well, and says what cannot be seen", () =>
    Effect.gen(function* () {
      const { findings, of, ok } = yield* inFolder(
        checked(project({ server: "postgrest/12.2.3", rows: { orders: 3 } }), { DB_POOL_MAX_CONNECTIONS: "24" })
      )
      expect(ok).toBe(true)
      expect(findings.filter(({ warning }) => warning === true)).toEqual([])
      expect(of("PostgREST")?.detail).toBe("version 12.2.3")
      expect(of("clock")?.detail).toContain("agree")
      expect(of("connections")?.detail).toContain(
        "at most 24 to PostgREST. Its own pool (db-pool, 10 unless it was set) cannot be seen"
      )
      expect(of("row level security")?.detail).toBe("the anon key reads no row of the 1 tables that were looked at")
      expect(of("max rows")?.detail).toContain("not seen")
    })
  )

  it.scopedLive("a redirect, and asks nobody there", () =>
    Effect.gen(function* () {
      const elsewhere = yield* serve(project())
      const { of, ok } = yield* inFolder(
        checked((response, { url }) => response.writeHead(301, { location: `${elsewhere.url}${url}` }).end())
      )
      expect(ok).toBe(false)
      expect(of("address")?.detail).toContain(`redirects to ${elsewhere.url}`)
      expect(of("address")?.remedy).toContain(`Set SUPABASE_URL to ${elsewhere.url}`)
      expect(of("anon key")).toMatchObject({
        checked: false,
        detail: "not checked because the address leads elsewhere"
      })
      expect(elsewhere.seen).toEqual([])
    })
  )

  const clocks = [
    [-40, "behind", false],
    [-20, "agree", true],
    [20, "agree", true],
    [40, "ahead of", false]
  ] as const

  it.scopedLive.each(clocks)("a clock that is off by %i s", ([seconds, words, isWell]) =>
    Effect.gen(function* () {
      const answer: Answer = (response, seen, nth) =>
        project({ date: new Date(Date.now() - seconds * 1_000) })(response, seen, nth)
      const found = (yield* inFolder(checked(answer))).of("clock")
      expect([found?.ok, found?.detail]).toEqual([isWell, expect.stringContaining(words)])
      expect(found?.remedy).toMatch(isWell ? /^$/ : /NTP/)
    })
  )

  it.scopedLive("what everybody may read, with the statement that ends it", () =>
    Effect.gen(function* () {
      const found = yield* inFolder(checked(project({ rows: { orders: 3, shops: 2 }, open: ["shops"] })))
      const rights = found.of("row level security")
      expect([found.ok, rights?.warning]).toEqual([true, true])
      expect(rights?.detail).toBe("the anon key, which browsers have, reads rows of shops")
      expect(rights?.remedy).toContain("alter table shops enable row level security")
    })
  )

  it.scopedLive("after how many rows an answer ends", () =>
    Effect.gen(function* () {
      const found = yield* inFolder(checked(project({ rows: { few: 3, orders: 2_500 }, maxRows: 1_000 })))
      expect(found.of("max rows")?.detail).toMatch(/^1000, seen of orders/)
    })
  )

  it.scopedLive("PostgREST's version where a gateway hides it, or that nobody tells it", () =>
    Effect.gen(function* () {
      const told = yield* inFolder(checked(project({ server: "cloudflare", version: "14.1" })))
      expect(told.of("PostgREST")?.detail).toBe("version 14.1")
      const hidden = yield* inFolder(checked(project({ server: "cloudflare" })))
      expect(hidden.of("PostgREST")).toMatchObject({ checked: false })
    })
  )

  it.scopedLive("the proxy, and the variable that names it", () =>
    Effect.gen(function* () {
      const found = yield* inFolder(
        checked(project(), { DB_POOL_PROXY: "http://user:proxy-password-never-printed@127.0.0.1:9" })
      )
      expect(found.of("proxy")?.detail).toBe(
        "through http://127.0.0.1:9, from DB_POOL_PROXY; DB_POOL_PROXY=none goes without"
      )
      expect(found.of("database")?.remedy).toContain("proxy")
    })
  )

  it.scopedLive("the names of `supabase status -o env`, and goes on with them", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(project())
      const local = { API_URL: url, ANON_KEY: keys.SUPABASE_ANON_KEY, SERVICE_ROLE_KEY: keys.SUPABASE_SERVICE_ROLE_KEY }
      const found = yield* inFolder(reportIn(local))
      expect(found.ok).toBe(true)
      expect(found.of("names")?.remedy).toContain(
        "`supabase status -o env --override-name api.url=SUPABASE_URL --override-name auth.anon_key=SUPABASE_ANON_KEY --override-name auth.service_role_key=SUPABASE_SERVICE_ROLE_KEY`"
      )
      expect(found.of("database")?.detail).toBe(url)
      // Where ours are set, theirs are somebody else's.
      const both = yield* inFolder(checked(project(), { API_URL: "https://api.example.com" }))
      expect(both.of("names")).toBeUndefined()
    })
  )

  it.scopedLive("whether the migration of the folder is this package's", () =>
    inFolder(
      Effect.gen(function* () {
        const found = () => Effect.map(checked(project()), ({ of }) => of("migration"))
        expect(yield* found()).toBeUndefined()
        const folder = "supabase/migrations"
        yield* Effect.promise(() => mkdir(folder, { recursive: true }))
        expect(yield* found()).toMatchObject({
          warning: true,
          detail: expect.stringContaining("has none of this package")
        })
        const copy = (name: string, change = "") =>
          Effect.promise(async () => {
            for (const before of await readdir(folder)) await rm(join(folder, before))
            await writeFile(join(folder, name), (await readFile(`${root}supabase/migrations/${name}`, "utf8")) + change)
          })
        yield* copy(oldMigrationFile)
        expect(yield* found()).toMatchObject({ ok: false, remedy: expect.stringContaining("supabase-pool migration") })
        yield* copy(migrationFile, "-- a change")
        expect(yield* found()).toMatchObject({ warning: true, remedy: expect.stringContaining("--force") })
        yield* copy(migrationFile)
        expect(yield* found()).toMatchObject({ ok: true, detail: expect.stringContaining(migrationFile) })
      })
    )
  )
})
