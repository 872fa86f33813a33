/**
 * Functions of the database that give sets, of a server that gives no more rows at a time than its `db-max-rows`.
 *
 * By GET the function only reads, so what is missing is asked for from where the answer stops, as of a table. It is the
 * function that orders its rows: one that gives them in another order each time gives some twice and others not at all.
 *
 * By POST it may have written, so it is called once. That nothing is missing is known by `Prefer: count=exact`: PostgREST counts
 * what the function gave, and calls it once all the same. A set that was cut is an error and no warning, since it would be
 * taken for all there is, by who reads the result and not the log. Who says `limit` or `offset` asks for a part, and
 * nothing is counted. Where a gateway has dropped the count, the status still says whether the answer is a part (206), and
 * `Preference-Applied` that the count was made; where all of that is missing nobody can know, which the log says.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import { type DbError, QueryError } from "../../Errors.js"
import { boundsOf, boundsOn } from "../connection/builderFields.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import type * as Database from "./database.js"
import { listIn } from "./list.js"
import type { PostgrestResult } from "./postgrestResult.js"
import { type Part, wholeFrom } from "./whole.js"

interface Call {
  readonly db: Database.UntypedReader
  readonly name: string
  readonly args: Record<string, unknown>
  readonly options: Database.RpcOptions
  /** Gives what came, and says so in the log where that is as long as an answer that was cut. */
  readonly perhapsCut: (answer: Database.Placed) => Effect.Effect<unknown>
  /** The same, of an answer of which nobody can know whether it was cut. */
  readonly uncounted: (answer: Database.Placed) => Effect.Effect<unknown>
}

type Asking = (client: SupabaseClient) => PromiseLike<PostgrestResult>

const wrong = ({ limit, offset }: Database.RpcOptions): QueryError | undefined => {
  const found = Object.entries({ limit, offset }).find(
    ([, n]) => n !== undefined && !(Number.isSafeInteger(n) && n >= 0)
  )
  return found === undefined
    ? undefined
    : invalidRequest(`${found[0]} is ${String(found[1])}`, "Give a whole number from 0, or leave it out.")
}

const isPart = ({ limit, offset }: Database.RpcOptions): boolean => limit !== undefined || offset !== undefined

/**
 * JSON that happens to be a list is one value, and its place is that of one row. What says no place (a gateway drops the
 * header) may be either: a value has nothing behind it, so that it is asked on as a set is.
 */
const isSet = ({ data, place }: Database.Placed): boolean =>
  Array.isArray(data) && (place === undefined || data.length === rowsAt(place))

const rowsAt = ({ from, to }: NonNullable<Database.Placed["place"]>): number =>
  from === undefined || to === undefined ? 0 : to - from + 1

/** What PostgREST says where a single value is asked for from its second row on, and of an offset behind the last row. */
const noneBehind = (error: DbError): boolean =>
  error._tag === "QueryError" && (error.code === "PGRST116" || error.code === "PGRST103")

const byGet = ({ args, db, name, options, perhapsCut }: Call): Effect.Effect<unknown, DbError> => {
  const { exact, retry } = options
  const answered = (taken: number, most?: number) => {
    let bounds = { limit: Number.POSITIVE_INFINITY, offset: 0 }
    const ask: Asking = (client) => {
      const query = boundsOn(client.rpc(name, args, { get: true }), options)
      bounds = boundsOf(query)
      return taken === 0 ? query : boundsOn(query, rest(bounds, taken, most))
    }
    return Effect.map(db.placed(ask, { retry, exact }), (answer) => ({ answer, bounds }))
  }
  return Effect.flatMap(answered(0), ({ answer: first, bounds: { limit: wanted, offset } }) => {
    if (!isSet(first)) return Effect.succeed(first.data)
    const partOf = (answer: Database.Placed, rows: ReadonlyArray<unknown>): Part => {
      return { rows, place: answer.place, wanted, offset }
    }
    const on = (taken: number, most?: number): Effect.Effect<Part, DbError> =>
      Effect.flatMap(answered(taken, most), ({ answer }) =>
        // Of one value there is no second, and where no place is said nobody knows how many rows the first stands for.
        (taken === 1 || first.place === undefined) && answer.data === null
          ? Effect.succeed(partOf(answer, []))
          : Effect.map(listIn(answer, answer.data), (rows) => partOf(answer, rows))
      ).pipe(Effect.catchIf(noneBehind, () => Effect.succeed(partOf(first, []))))
    // One function may be a value and heed no offset, and the next a set that does: nothing is kept of it.
    const heeding = { heedsOffset: db.seen.tries ? undefined : false }
    return Effect.flatMap(listIn(first, first.data), (rows) =>
      Effect.flatMap(wholeFrom(partOf(first, rows), on, db.seen, heeding), (all) =>
        first.place === undefined && all.length === rows.length ? perhapsCut(first) : Effect.succeed(all)
      )
    )
  })
}

/** What is left, from where an answer stopped. */
const rest = ({ limit, offset }: ReturnType<typeof boundsOf>, taken: number, most?: number) => ({
  offset: offset + taken,
  limit: Math.min(limit - taken, most ?? Number.POSITIVE_INFINITY)
})

/** PostgREST has counted, and these are not all. */
const partial = 206

const cut = (name: string, gave: string, sent: number, { method, status }: Database.Placed): QueryError =>
  new QueryError({
    code: "RESULT_CUT",
    reason: `the function ${name} gave ${gave} rows, and the server sent ${sent} of them`,
    details: "",
    hint: "Say limit where a part is enough; call a function that only reads with { get: true }, which asks for the rest; or raise the server's max rows (db-max-rows).",
    status,
    method
  })

/** Only what PostgREST counted says for certain that something is missing. */
const cutOff = (name: string, answer: Database.Placed): QueryError | undefined => {
  const { data, place, status } = answer
  const { to = -1, total } = place ?? {}
  if (!Array.isArray(data)) return undefined
  if (total === undefined) return status === partial ? cut(name, "more", data.length, answer) : undefined
  return total > to + 1 ? cut(name, String(total), to + 1, answer) : undefined
}

const byPost = ({ args, db, name, options, perhapsCut, uncounted }: Call): Effect.Effect<unknown, DbError> => {
  const { exact, idempotent, maxAffected, retry } = options
  const ask: Asking = (client) =>
    isPart(options) ? boundsOn(client.rpc(name, args), options) : client.rpc(name, args, { count: "exact" })
  return Effect.flatMap(db.placed(ask, { pool: "write", exact, idempotent, maxAffected, retry }), (answer) => {
    if (isPart(options)) return perhapsCut(answer)
    const failure = cutOff(name, answer)
    if (failure !== undefined) return Effect.fail(failure)
    return answer.place?.total === undefined && !answer.counted ? uncounted(answer) : Effect.succeed(answer.data)
  })
}

export const call = (called: Call): Effect.Effect<unknown, DbError> => {
  const refused = wrong(called.options)
  if (refused !== undefined) return Effect.fail(refused)
  return called.options.get === true ? byGet(called) : byPost(called)
}
