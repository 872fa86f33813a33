/**
 * A list to its end, of a server that gives no more rows at a time than its `db-max-rows`: what an answer may lack is asked
 * for from where it stops. Several requests are not one moment: a row that is written before the place where they meet can
 * be there twice or not at all, as on any pages.
 */
import { Clock, Effect } from "effect"
import type { DbError } from "../../Errors.js"
import { unlimited } from "../connection/builderFields.js"
import type { Heeding, MostRows } from "../table/mostRows.js"
import type { ContentRange } from "./contentRange.js"

export interface Part {
  readonly rows: ReadonlyArray<unknown>
  /** What the answer says of its place; undefined where it says nothing. */
  readonly place: ContentRange | undefined
  /** As many rows as all parts together are to have. */
  readonly wanted: number
  /** So many rows are all that there can be, since each is one of so many keys. */
  readonly keys?: number | undefined
  /** Of all rows that there are: those that the whole begins behind. */
  readonly offset: number
}

/**
 * Behind the last row PostgREST gives none; 416 where it has counted, as servers and gateways of their own mind also do where
 * nobody asked for that. A first question that is refused so is the caller's to know of.
 */
export const orNone = <R>(
  taken: number,
  part: Effect.Effect<Part, DbError, R>,
  none: () => Part
): Effect.Effect<Part, DbError, R> => (taken === 0 ? part : Effect.catchIf(part, isBehindLast, () => Effect.sync(none)))

const isBehindLast = (error: DbError): boolean => error._tag === "QueryError" && error.code === "PGRST103"

/** Asks for rows, `taken` of which are already there; no more than `most` of them, where it is said. */
export type AskOn<R = never> = (taken: number, most?: number) => Effect.Effect<Part, DbError, R>

const isCounted = ({ offset, place }: Part, taken: number): boolean =>
  place?.total !== undefined && offset + taken >= place.total

/** Where its place was asked for and another came, the server does not know offsets: it would give the same rows for ever. */
const isElsewhere = ({ offset, place }: Part, taken: number): boolean =>
  place?.from !== undefined && place.from !== offset + taken

/**
 * A server that says no place (none of PostgREST's: a gateway that drops the header, a handler of a spec) may heed no offset,
 * either. Whether it does is asked once: of one that does not, the first answer is all there is.
 */
const heedsOffset = <R>(ask: AskOn<R>, heeding: Heeding): Effect.Effect<boolean, DbError, R> =>
  heeding.heedsOffset !== undefined
    ? Effect.succeed(heeding.heedsOffset)
    : Effect.map(ask(unlimited, 1), ({ rows }) => {
        heeding.heedsOffset = rows.length === 0
        return heeding.heedsOffset
      })

const mayGoOn = (part: Part, ask: AskOn, heeding: Heeding): Effect.Effect<boolean, DbError> =>
  part.place === undefined ? heedsOffset(ask, heeding) : Effect.succeed(true)

/** Rows of JSON, so that what is the same is written the same. */
const beginsWith = (all: ReadonlyArray<unknown>, rows: ReadonlyArray<unknown>): boolean =>
  rows.length > 0 && JSON.stringify(all.slice(0, rows.length)) === JSON.stringify(rows)

/**
 * Whether a later page is the first one again, since whoever answers heeds no offset: a stream of it would never end. Pages
 * may look the same where rows do, so that it is asked before it is believed.
 */
export const isFirstAgain = <R>(
  first: ReadonlyArray<unknown>,
  part: Part,
  taken: number,
  ask: AskOn<R>
): Effect.Effect<boolean, DbError, R> => {
  if (part.place !== undefined) return Effect.succeed(isElsewhere(part, taken))
  if (!beginsWith(first, part.rows)) return Effect.succeed(false)
  return Effect.map(heedsOffset(ask, { heedsOffset: undefined }), (heeded) => !heeded)
}

/** All rows of which `first` has the first ones. */
export const wholeFrom = (
  first: Part,
  ask: AskOn,
  seen: MostRows,
  heeding: Heeding = seen
): Effect.Effect<ReadonlyArray<unknown>, DbError> =>
  Effect.gen(function* () {
    const rows: Array<unknown> = [...first.rows]
    let last = first
    while (true) {
      const length = last.rows.length
      const now = yield* Clock.currentTimeMillis
      if (rows.length >= first.wanted || rows.length === first.keys || isCounted(last, rows.length)) {
        seen.saw(length, now)
        return rows
      }
      if (!seen.mayCut(length, now) || !(yield* mayGoOn(last, ask, heeding))) return rows
      const next = yield* ask(rows.length)
      if (next.rows.length === 0 || isElsewhere(next, rows.length)) return rows
      seen.wasCut(length)
      for (const row of next.rows) rows.push(row)
      last = next
    }
  })

export const whole = (ask: AskOn, seen: MostRows): Effect.Effect<ReadonlyArray<unknown>, DbError> =>
  Effect.flatMap(ask(0), (first) => wholeFrom(first, ask, seen))
