/**
 * What is said of an answer that looks cut: as long as the server's answers get, and nobody asked for a part. A caller's own
 * builder is asked as it stands: nobody else can know in which order to ask on. So it is said in the log, once for each table
 * and function of a database, with what to do.
 */
import { Effect } from "effect"
import { lastPart } from "../connection/fetchInput.js"
import { nameInLog, SaidOnce } from "../shared/saidOnce.js"
import { MostRows } from "../table/mostRows.js"

/** A request that was answered. */
export interface RequestLine {
  readonly method: string
  /** With the query. */
  readonly path: string
}

/** The answers to what changes rows are never cut (PostgREST 10); a function's are, however it is called. */
const canBeCut = ({ method, path }: RequestLine): boolean => method === "GET" || path.includes("/rpc/")

const nameOf = (path: string): string => nameInLog(lastPart(path))

/** As many as were asked for, or fewer than that by a limit that could not have been reached. */
const isAsked = (path: string, rows: number): boolean => {
  const limit = new URLSearchParams(path.slice(path.indexOf("?") + 1)).get("limit")
  return limit !== null && Number(limit) <= rows
}

export class Cuts {
  readonly seen: MostRows
  private readonly said: SaidOnce = new SaidOnce()

  /** A handler of a spec that says no place gives all that there is: it is not asked for more, which a spec would have to answer. */
  constructor(overSockets: boolean) {
    this.seen = new MostRows(overSockets)
  }

  /** Costs a comparison where nothing is to be said, which is nearly always. */
  perhaps(rows: number, sent: RequestLine): Effect.Effect<void> | undefined {
    return rows === this.seen.cut ? this.told(rows, sent) : undefined
  }

  /**
   * Of a set that a function gave by POST, where nothing says how many rows there were. A longer answer of the same server is
   * proof that this one is whole.
   */
  uncounted(rows: number, sent: RequestLine, now: number): Effect.Effect<void> | undefined {
    if (rows === this.seen.cut || !this.seen.tries) return this.perhaps(rows, sent)
    const name = nameOf(sent.path)
    // One row is what a value is, too.
    if (rows < 2 || !this.seen.mayCut(rows, now) || !this.said.isNew(name)) return undefined
    return Effect.logWarning(
      `${name} gave ${rows} rows, and the answer does not say whether there were more: something on the way drops ` +
        "Content-Range. Where the server gives no more rows at a time (db-max-rows), some may be missing. " +
        `Let the header through, or say limit. Said once for ${name}.`
    )
  }

  private told(rows: number, sent: RequestLine): Effect.Effect<void> | undefined {
    const { path } = sent
    const name = nameOf(path)
    if (!canBeCut(sent) || isAsked(path, rows) || !this.said.isNew(name)) return undefined
    const remedy = path.includes("/rpc/")
      ? "Db.rpc(name, args, { get: true }) gives all rows of a function that only reads"
      : "Db.stream and Db.table give all rows"
    return Effect.logWarning(
      `${name} gave ${rows} rows, as many as the server gives at a time (db-max-rows, 1000 on Supabase): there may be more. ` +
        `${remedy}; where these are enough, say so with limit(${rows}). Said once for ${name}.`
    )
  }
}
