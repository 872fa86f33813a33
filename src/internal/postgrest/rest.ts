import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Ask, Plan } from "./ask.js"
import { type Caller, callerOf, type Keys } from "./caller.js"
import { callPlan } from "./callPlan.js"
import { type Catalog, catalogSql, decodeCatalog } from "./catalog.js"
import { formatOf } from "./format.js"
import { bodyText } from "./payload.js"
import { preferencesOf } from "./preferences.js"
import { Refusal, refuse, responseOf } from "./refusal.js"
import { refusalOf } from "./sqlstate.js"
import { rowOf, settingsSql } from "./statement.js"
import { tablePlan } from "./tablePlan.js"

export type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>

/** The PostgreSQL behind it. */
export interface Database {
  /** In one transaction, one after the other; `look` sees the rows of the last, and rolls all back by throwing. */
  readonly transact: (statements: ReadonlyArray<string>, look: (rows: Rows) => void) => Promise<Rows>
}

const schemas = ["public"]

const schemaOf = (request: Request): string => {
  const reads = request.method === "GET" || request.method === "HEAD"
  const profile = request.headers.get(reads ? "accept-profile" : "content-profile") ?? "public"
  return schemas.includes(profile)
    ? profile
    : refuse(
        406,
        "PGRST106",
        `Invalid schema: ${profile}`,
        null,
        `Only the following schemas are exposed: ${schemas.join(", ")}`
      )
}

/** The path behind `/rest/v1`: a table, or a function. */
const routeOf = (url: URL): { readonly kind: "table" | "function"; readonly name: string } | undefined => {
  const found = /^\/rest\/v1\/(rpc\/)?([^/]+)$/.exec(url.pathname)
  if (found === null) return undefined
  return { kind: found[1] === undefined ? "table" : "function", name: decodeURIComponent(found[2] ?? "") }
}

const failed = (error: unknown, caller: Caller | undefined): Response => {
  const refusal = error instanceof Refusal ? error : refusalOf(error, caller?.role === "anon")
  return responseOf(refusal)
}

const executed = async (database: Database, ask: Ask, plan: Plan): Promise<Response> => {
  const first = plan.readOnly ? "set transaction read only; " : ""
  let response: Response | undefined
  await database.transact([`${first}${settingsSql(ask)}`, plan.sql], (rows) => {
    response = plan.answer(rowOf(rows[0] ?? {}))
  })
  return response ?? responseOf(refusalOf(undefined, false))
}

export type RestHandler = (request: Request) => Effect.Effect<Response | undefined>

/** The handler, or nothing for what is not its own: other paths, and keys that are not those of this database. */
export const makeRest = (database: Database, keys: Keys): RestHandler => {
  let catalog: Catalog | undefined
  const loaded = async (again: boolean): Promise<Catalog> => {
    if (catalog !== undefined && !again) return catalog
    const rows = await database.transact(["set local search_path = ''", catalogSql(schemas)], () => undefined)
    catalog = decodeCatalog(rows[0]?.["catalog"])
    return catalog
  }

  const planned = async (
    ask: Omit<Ask, "catalog">,
    route: { kind: "table" | "function"; name: string }
  ): Promise<Response> => {
    const withCatalog = async (again: boolean): Promise<Response> => {
      const whole: Ask = { ...ask, catalog: await loaded(again) }
      const plan = route.kind === "table" ? tablePlan(whole, route.name) : callPlan(whole, route.name)
      return executed(database, whole, plan)
    }
    try {
      return await withCatalog(false)
    } catch (error) {
      // A hosted project reads its schema again after each change of it.
      if (error instanceof Refusal && /^PGRST20[0245]$/.test(error.code)) return withCatalog(true)
      throw error
    }
  }

  const answer = async (request: Request, now: number): Promise<Response | undefined> => {
    const url = new URL(request.url)
    const route = routeOf(url)
    if (route === undefined || request.method === "OPTIONS") return undefined
    let caller: Caller | undefined
    try {
      caller = callerOf(request, keys, now)
      if (caller === undefined) return undefined
      const ask = {
        request,
        url,
        method: request.method,
        caller,
        preferences: preferencesOf(request.headers),
        format: formatOf(request.headers.get("accept") ?? "*/*"),
        schema: schemaOf(request),
        body: request.method === "GET" || request.method === "HEAD" ? "" : await bodyText(request)
      }
      return await planned(ask, route)
    } catch (error) {
      return failed(error, caller)
    }
  }

  return (request) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.promise(() => answer(request, Math.floor(now / 1000))))
}
