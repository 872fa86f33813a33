/**
 * What `supabase-pool check` sees around the database: where the address leads, whose clock is wrong, which PostgREST answers,
 * and what the anon key may read. Asks with GET and HEAD, on connections of the read pool.
 */
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import type { PoolOptions, SupabaseOptions } from "../../Config.js"
import type { Connection } from "../../Connection.js"
import { ReadPool } from "../../Pool.js"
import { PooledConnection } from "../connection/pooledConnection.js"
import { contentRangeOf } from "../db/contentRange.js"
import { bad, type Finding, good, notChecked, warning } from "./findings.js"

/** Tokens are good for an hour, and PostgREST allows for clocks that differ by this. */
const clockLimit = 30_000

/** So many tables are looked at. */
const mostTables = 20

/** More rows than anybody sets `db-max-rows` to on purpose, and few enough to ask for. */
const manyRows = 10_001

interface Look {
  readonly status: number
  readonly header: (name: string) => string | null
  readonly body: string
}

type Key = Redacted.Redacted

const failed: Look = { status: 0, header: () => null, body: "" }

/** One request beside the builders, which show no headers. */
const look = (method: "GET" | "HEAD", url: string, key: Key): Effect.Effect<Look, never, ReadPool> =>
  Effect.flatMap(ReadPool, ({ use }) =>
    use((connection: Connection) => {
      if (!(connection instanceof PooledConnection)) return Effect.succeed(failed)
      const { fetch } = connection.transport
      const apikey = Redacted.value(key)
      return Effect.tryPromise(async (): Promise<Look> => {
        const response = await fetch(url, { method, headers: { apikey, authorization: `Bearer ${apikey}` } })
        const body = method === "HEAD" ? "" : await response.text()
        return { status: response.status, header: (name) => response.headers.get(name), body }
      })
    })
  ).pipe(Effect.orElseSucceed(() => failed))

const OpenApi = Schema.parseJson(
  Schema.Struct({
    info: Schema.Struct({ version: Schema.optional(Schema.String) }),
    definitions: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  })
)

type Described = Option.Option<typeof OpenApi.Type>

const address = (url: string, { header, status }: Look): Finding | undefined => {
  const location = header("location")
  if (status < 301 || status > 308 || location === null || !URL.canParse(location, url)) return undefined
  const { origin } = new URL(location, url)
  return bad(
    "address",
    `${url} redirects to ${origin}`,
    `Set SUPABASE_URL to ${origin}: nothing is sent there otherwise, since the keys would go with it.`
  )
}

const clock = (now: number, { header }: Look): Finding => {
  const theirs = Date.parse(header("date") ?? "")
  if (Number.isNaN(theirs)) return notChecked("clock", "because the answer has no date")
  // The header has whole seconds.
  const ahead = Math.round((now - theirs) / 1_000)
  const distance = `${Math.abs(ahead)} s ${ahead > 0 ? "ahead of" : "behind"} the server's`
  return Math.abs(now - theirs) > clockLimit
    ? bad(
        "clock",
        `this machine's is ${distance}`,
        "Synchronize it (NTP, `timedatectl set-ntp true`). Tokens are refused as expired or as not yet valid (PGRST303), and TLS certificates too."
      )
    : good("clock", "this machine's and the server's agree")
}

const version = ({ header }: Look, described: Described): Finding => {
  const named = /postgrest\/([\w.-]+)/i.exec(header("server") ?? "")?.[1]
  const found = named ?? Option.getOrUndefined(Option.flatMapNullable(described, ({ info }) => info.version))
  return found === undefined
    ? notChecked("PostgREST", "since it does not tell its version")
    : good("PostgREST", `version ${found}`)
}

const sizes = ({ maxConnections }: PoolOptions): Finding =>
  good(
    "connections",
    `this process opens at most ${maxConnections} to PostgREST. Its own pool (db-pool, 10 unless it was set) cannot be seen from outside: ` +
      `with fewer than ${maxConnections}, requests wait there (PGRST003), and here only from there on`
  )

/** How many rows an answer had; undefined where it had none, or does not say. */
const rowsIn = ({ header, status }: Look): number | undefined => {
  if (status !== 200 && status !== 206) return undefined
  const range = contentRangeOf(header("content-range"))
  return range?.from === undefined || range.to === undefined ? undefined : range.to - range.from + 1
}

const listed = (names: ReadonlyArray<string>): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`

const rights = (url: string, tables: ReadonlyArray<string>, key: Key): Effect.Effect<Finding, never, ReadPool> =>
  Effect.map(
    Effect.filter(tables, (table) =>
      Effect.map(
        look("HEAD", `${url}/rest/v1/${encodeURIComponent(table)}?limit=1`, key),
        (seen) => rowsIn(seen) !== undefined
      )
    ),
    (open) =>
      open.length === 0
        ? good("row level security", `the anon key reads no row of the ${tables.length} tables that were looked at`)
        : warning(
            "row level security",
            `the anon key, which browsers have, reads rows of ${listed(open)}`,
            `Where not everybody may: \`alter table ${open[0]} enable row level security\`, and a policy for who may. ` +
              "Whether it is on cannot be seen from outside: the dashboard's Advisors say it (rls_disabled_in_public)."
          )
  )

const mostRows = (url: string, tables: ReadonlyArray<string>, key: Key): Effect.Effect<Finding, never, ReadPool> =>
  Effect.gen(function* () {
    for (const table of tables) {
      const of = `${url}/rest/v1/${encodeURIComponent(table)}`
      const rows = rowsIn(yield* look("HEAD", `${of}?limit=${manyRows}`, key))
      if (rows === undefined || rows === manyRows) continue
      const behind = rowsIn(yield* look("HEAD", `${of}?limit=1&offset=${rows}`, key))
      if (behind !== undefined) {
        return good(
          "max rows",
          `${rows}, seen of ${table}: no answer has more. Lists and streams of Db.table go on behind it`
        )
      }
    }
    return good("max rows", "not seen: no table that was looked at has more rows than an answer")
  })

/** What it finds; nothing but the address where that leads elsewhere. */
export const surroundings = (
  { anonKey, serviceRoleKey, url }: SupabaseOptions,
  pool: PoolOptions
): Effect.Effect<{ readonly leadsElsewhere: boolean; readonly findings: ReadonlyArray<Finding> }, never, ReadPool> =>
  Effect.gen(function* () {
    const root = yield* look("GET", `${url}/rest/v1/`, serviceRoleKey)
    const now = yield* Clock.currentTimeMillis
    const elsewhere = address(url, root)
    if (elsewhere !== undefined) return { leadsElsewhere: true, findings: [elsewhere] }
    if (root.status === 0) return { leadsElsewhere: false, findings: [] }
    const described = Schema.decodeOption(OpenApi)(root.body)
    const all = Option.match(described, {
      onNone: () => [],
      onSome: ({ definitions }) => Object.keys(definitions ?? {})
    })
    const tables = all.slice(0, mostTables)
    const unknown = "since PostgREST does not list its tables to the service-role key"
    return {
      leadsElsewhere: false,
      findings: [
        clock(now, root),
        version(root, described),
        sizes(pool),
        ...(tables.length === 0
          ? [notChecked("row level security", unknown), notChecked("max rows", unknown)]
          : [yield* rights(url, tables, anonKey), yield* mostRows(url, tables, serviceRoleKey)])
      ]
    }
  })
