/** Many callers at once against a server: by this package, and by undici without a pool. */
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { patient } from "../support/options.js"
import { query } from "../support/read.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, type Make } from "../support/subject.js"
import { together } from "../support/together.js"
import { client, send } from "../support/undici.js"

const read = Db.read(query)

const write = Db.write((client) => client.from("rows").update({ name: "a row" }).eq("id", 1).select("id, name"))

/** The pools of the production preset; half of the callers read, half write, and all are there before one is done. */
export const ours: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  return async ({ callers = 1 }) => {
    let failed = 0
    const counted = <R>(operation: Effect.Effect<unknown, unknown, R>): Effect.Effect<void, never, R> =>
      Effect.matchEffect(operation, {
        onFailure: () =>
          Effect.sync(() => {
            failed += 1
          }),
        onSuccess: () => Effect.void
      })
    const before = process.resourceUsage().maxRSS / 1_024
    const halves: ReadonlyArray<Effect.Effect<void, never, Db.Db | Db.ReadDb>> = [counted(read), counted(write)]
    const { cpu, wall } = await cpuOf(() => run(together(callers, (n) => halves[n % 2] ?? Effect.void)))
    return { cpu: cpu / callers, wall, failed, before, megabytes: process.resourceUsage().maxRSS / 1_024 }
  }
}

/** The same requests by undici: a loop on each socket, so that nobody waits for anybody. */
export const undici: Make = async (url = "", connections = "20") => {
  const headers = { apikey: "anon", authorization: "Bearer anon", "content-type": "application/json" }
  const path = "/rest/v1/rows?select=id%2Cname&id=eq.1"
  const reading = { path, method: "GET", headers } as const
  const writing = { path, method: "PATCH", headers, body: '{"name":"a row"}' } as const
  return async ({ callers = 1 }) => {
    const each = callers / Number(connections)
    const loop = async (n: number): Promise<void> => {
      const socket = client(url)
      for (let left = each; left > 0; left -= 1) await send(socket, n % 2 === 1 ? writing : reading)
    }
    const { cpu, wall } = await cpuOf(() => Promise.all(Array.from({ length: Number(connections) }, (_, n) => loop(n))))
    return { cpu: cpu / callers, wall }
  }
}
