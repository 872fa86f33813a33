/** The checks of `supabase-pool check`: each finding states a fact and, if it is wrong, how to fix it. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Either, Option, Schema } from "effect"
import type * as Config from "../../Config.js"
import * as Db from "../../Db.js"
import { keySources, plainHttp, type Source } from "../config/supabase.js"
import { printable } from "../shared/printable.js"
import { installIt } from "../transaction/run.js"

export interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly remedy: string
  /** `false` if it could not be checked. */
  readonly checked?: boolean
  /** `true` if it works but should be changed. */
  readonly warning?: boolean
}

const anonKey = "anon key"
const serviceRoleKey = "service-role key"
const transactionFunctionName = "transaction function"

export const askedOfDatabase = [anonKey, serviceRoleKey, transactionFunctionName]

/** The version that this package expects in the database; see `supabase_pool_version` in the migration. */
export const expectedVersion = 4

export const good = (name: string, detail: string): Finding => ({ name, ok: true, detail, remedy: "" })

export const bad = (name: string, detail: string, remedy: string): Finding => ({ name, ok: false, detail, remedy })

/** It works, and should be looked at. */
export const warning = (name: string, detail: string, remedy: string): Finding => ({
  name,
  ok: true,
  warning: true,
  detail,
  remedy
})

/** A check that could not run is neither a success nor a mistake. */
export const notChecked = (name: string, because: string): Finding => ({
  name,
  ok: false,
  checked: false,
  detail: `not checked ${because}`,
  remedy: ""
})

const address = (url: string): ReadonlyArray<Finding> =>
  Option.toArray(plainHttp(url)).map(({ problem, remedy }) => warning("address", problem, `SUPABASE_URL: ${remedy}.`))

export const configuration = (loaded: Config.Loaded): ReadonlyArray<Finding> => [
  good("configuration", `${loaded.pool.minConnections} to ${loaded.pool.maxConnections} connections`),
  ...(Option.isSome(loaded.supabase)
    ? address(loaded.supabase.value.url)
    : [
        bad(
          "database",
          "SUPABASE_URL is not set",
          "Set SUPABASE_URL, SUPABASE_ANON_KEY and SUPABASE_SERVICE_ROLE_KEY (Supabase dashboard, Project settings, API keys)."
        ),
        ...askedOfDatabase.map((name) => notChecked(name, "because no database is configured"))
      ])
]

const ping = (client: SupabaseClient) => client.rpc("supabase_pool_ping", {}, { get: true })

/** The function may be missing: that is another finding, and shows that the key was accepted. */
const answers = (error: Db.DbError): boolean =>
  error._tag === "QueryError" && error.status < 500 && error.status !== 401

/** A project accepts one of two kinds of keys: the new ones after it has moved to them, the legacy ones before. */
const remedyOf = ({ unused, variable }: Source): string =>
  unused.length === 0
    ? `Check ${variable}, where the key comes from.`
    : `Check ${variable}, where the key comes from. ${unused.join(" and ")} ${unused.length === 1 ? "holds" : "hold"} another: if your project accepts that one, unset ${variable}.`

const key = (
  name: string,
  source: Source,
  ask: Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>
): Effect.Effect<Finding, never, Db.Db | Db.ReadDb> =>
  Effect.match(ask, {
    onSuccess: () => good(name, "the database answers"),
    onFailure: (error) =>
      answers(error)
        ? good(name, "the database answers")
        : bad(name, error.message, error._tag === "QueryError" && error.status === 401 ? remedyOf(source) : "")
  })

const Version = Schema.Int

const transactionFunction: Effect.Effect<Finding, never, Db.Db | Db.ReadDb> = Effect.gen(function* () {
  const name = transactionFunctionName
  const answer = yield* Effect.either(Db.rpc("supabase_pool_version"))
  if (Either.isLeft(answer)) {
    const { left: error } = answer
    const missing = error._tag === "QueryError" && error.status === 404
    return bad(name, missing ? "is not installed" : error.message, missing ? installIt : "")
  }
  const version = Schema.decodeUnknownOption(Version)(answer.right)
  if (Option.contains(version, expectedVersion)) return good(name, `version ${expectedVersion}`)
  return Option.match(version, {
    onNone: () => bad(name, "returned no version", installIt),
    onSome: (found) =>
      found < expectedVersion
        ? bad(name, `is old: version ${found}, and this package expects ${expectedVersion}`, installIt)
        : bad(
            name,
            `is version ${found}, newer than the ${expectedVersion} of this package`,
            "Update effect-supabase-pool."
          )
  })
})

/** Nothing answered, so nothing else can be checked. */
const isAway = ({ _tag }: Db.DbError): boolean =>
  _tag === "ConnectionFailed" || _tag === "AcquireTimeout" || _tag === "RequestTimeout"

/** Asks the database; nothing is written. */
export const connection = (
  url: string,
  /** The sources of the keys that are used. */
  sources: ReturnType<typeof keySources> = keySources(new Map())
): Effect.Effect<ReadonlyArray<Finding>, never, Db.Db | Db.ReadDb> =>
  Effect.gen(function* () {
    const first = yield* Effect.either(Db.read(ping))
    if (Either.isLeft(first) && isAway(first.left)) {
      return [
        bad("database", `nothing answers at ${url}`, first.left.message),
        ...askedOfDatabase.map((name) => notChecked(name, "because nothing answers"))
      ]
    }
    return [
      good("database", url),
      yield* key(anonKey, sources.anonKey, first),
      yield* key(serviceRoleKey, sources.serviceRoleKey, Db.read(ping, { as: "service" })),
      yield* transactionFunction
    ]
  })

const markOf = ({ checked, ok, warning }: Finding): string => {
  if (warning === true) return "warn "
  if (ok) return "ok   "
  return checked === false ? "-    " : "wrong"
}

export const line = (finding: Finding): string =>
  `${markOf(finding)} ${printable(`${finding.name}: ${finding.detail}`)}${finding.remedy === "" ? "" : `\n      ${printable(finding.remedy)}`}`
