/**
 * A list of rows, and what came in its place. A gateway may answer 200 with JSON of its own, and PostgREST's 200 is a list
 * wherever one was asked for: whatever else comes is no answer, and never an empty list.
 */
import { Effect } from "effect"
import { QueryError } from "../../Errors.js"
import { count, oneLine } from "../shared/text.js"

const mostKeys = 5

/** By its kind and its names: values may be anybody's. */
const kindOf = (came: unknown): string => {
  if (came === undefined || came === null) return "null, or nothing at all"
  if (typeof came === "string") return `a text of ${count(came.length, "character")}`
  if (Array.isArray(came)) return `a list of ${came.length}`
  if (typeof came !== "object") return `a ${typeof came}`
  const keys = Object.keys(came)
  const shown = keys.slice(0, mostKeys).map((key) => oneLine(key).slice(0, 40))
  return keys.length === 0
    ? "an empty object"
    : `an object of ${shown.join(", ")}${keys.length > mostKeys ? ", …" : ""}`
}

/** What is asked: a table, a view or a function. By which method, and answered with which status. */
export interface AnswerOrigin {
  readonly from: string
  readonly method: string
  readonly status: number
}

const named = (from: string): string => (from === "" ? "a table" : from)

/** The status is a success: of a write it says that something was executed. */
const noList = ({ from, method, status }: AnswerOrigin, came: unknown): QueryError =>
  new QueryError({
    code: "NO_LIST",
    reason: `rows of ${named(from)} were asked for, and what answered gave ${kindOf(came)} in place of a list`,
    details: "",
    hint: "Look at what answers between here and the database: PostgREST gives a list.",
    status,
    method
  })

/** The rows, or why there are none to be had. */
export const listIn = (asked: AnswerOrigin, came: unknown): Effect.Effect<ReadonlyArray<unknown>, QueryError> =>
  Array.isArray(came) ? Effect.succeed(came) : Effect.fail(noList(asked, came))

/** Whether it is a number of rows: a builder makes NaN of what is none, and null where nothing was said. */
export const isCount = (given: unknown): given is number => Number.isSafeInteger(given) && Number(given) >= 0

export const noCount = ({ from, method, status }: AnswerOrigin, contentRange: string | null): QueryError =>
  new QueryError({
    code: "NO_COUNT",
    reason: `the rows of ${named(from)} were to be counted, and the answer has no number of them (${
      contentRange === null ? "it has no Content-Range" : `Content-Range: ${oneLine(contentRange).slice(0, 60)}`
    })`,
    details: "",
    hint: "Look at what answers between here and the database: PostgREST says the number in Content-Range.",
    status,
    method
  })
