/** A shop that is always busy: callers who arrive however long the others take, on a server with the dashboard. */
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Option, Schedule } from "effect"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { Dashboard } from "../../src/internal/http/page.js"
import * as DashboardBuild from "../../src/internal/server/dashboardBuild.js"
import { served } from "../../test/support/served.js"

const asks: ReadonlyArray<Effect.Effect<void, never, Db.ReadDb | Db.Db>> = [
  Effect.ignore(
    Db.read((client) => client.from("products").select("id, title, price").eq("category", "lamps").limit(20))
  ),
  Effect.ignore(Db.read((client) => client.from("orders").select("id, total").eq("buyer", 7).order("created_at"))),
  Effect.ignore(Db.read((client) => client.from("reviews").select("stars").eq("product", 12))),
  Effect.ignore(Db.read((client) => client.rpc("search_products", { words: "desk lamp" }, { get: true }))),
  Effect.ignore(Db.write((client) => client.from("orders").insert({ buyer: 7, total: 41 })))
]

/** So many callers a second. */
export const callers = (perSecond: number) => {
  const one = Effect.suspend(() => asks[Math.floor(Math.random() * asks.length)] ?? Effect.void)
  return Effect.forkDaemon(one).pipe(Effect.repeat(Schedule.spaced(1_000 / perSecond)), Effect.forkScoped)
}

export const token = "screenshots-never-printed"

export const shop = (databaseUrl: string) =>
  Effect.gen(function* () {
    const { build, state } = yield* DashboardBuild.make
    yield* build
    return served(
      Config.SupabaseConfig.layerOf({ url: databaseUrl, anonKey: "anon", serviceRoleKey: "service" }),
      { adminToken: token, enableHealthChecks: true },
      Alerts.layer({ sinks: [] })
    ).pipe(Layer.provide(Layer.succeed(Dashboard, { state: Option.some(state) })))
  }).pipe(Effect.provide(NodeContext.layer), Layer.unwrapEffect)
