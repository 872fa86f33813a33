/**
 * `npm run bench:direct`: what one read costs by `@effect/sql-pg`, which speaks to PostgreSQL, and by `Db.read`, which speaks to
 * an API in front of it.
 *
 * CPU is what the caller's process pays, and says something of any API. Time is also the API's, here the embedded one in a
 * process of its own, which is slower than a PostgREST: that row is a bound and no measure of Supabase.
 */
import { Console, Effect, Redacted } from "effect"
import { commandLine } from "../scripts/commandLine.js"
import { Embedded } from "../src/embedded.js"
import { postgresServer } from "../src/internal/embedded/postgresServer.js"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { markdown } from "./support/layout.js"
import { server, subject } from "./support/processes.js"

const { values } = commandLine(
  `npm run bench:direct [-- OPTIONS]

One read of a row by its key, by @effect/sql-pg on PostgreSQL, and by Db.read on the embedded API over the same PostgreSQL and on a
static server: CPU of the caller's process with 20 callers at once, and time of one caller alone. Needs PostgreSQL on this machine.

  --rounds N   7 unless said otherwise
  --help       this text`,
  { options: { rounds: { type: "string", default: "7" } } }
)

const table =
  "create table public.rows (id integer primary key, name text); insert into rows values (1, 'one'); grant select on rows to anon"

const direct = "@effect/sql-pg, PostgreSQL"
const still = "Db.read, a static server"
const api = "Db.read, the embedded API on PostgreSQL"

const measured = Effect.gen(function* () {
  const postgres = (yield* postgresServer()).url
  const database = yield* Embedded.make({ postgres, migrations: [table] })
  const keys = [database.anonKey, database.serviceRoleKey].map(Redacted.value)
  const { url } = yield* server()
  // The same table for whoever speaks to PostgreSQL itself.
  const subjects = [
    yield* subject(direct, "direct", "sqlRead", [Redacted.value(postgres), table]),
    yield* subject(still, "direct", "apiRead", [url, "anon", "service"]),
    yield* subject(api, "direct", "apiRead", [database.url, ...keys])
  ]
  const rounds = Number(values.rounds)
  const busy = yield* interleave(subjects, { callers: 20, operations: 2_000 }, rounds, Console.error)
  const alone = yield* interleave(subjects, { callers: 1, operations: 300 }, rounds, Console.error)
  yield* Console.log(
    markdown({
      head: ["one read by", "CPU of its process, µs", "time of one caller alone, µs"],
      rows: [direct, still, api].map((name) => [name, figure(busy.of(name)), figure(alone.of(name, "wall"))])
    })
  )
})

await Effect.runPromise(Effect.scoped(measured))
