/** Checks callers' filters against a schema before anything is sent. */
import { Effect, type Schema } from "effect"
import * as Decode from "effect/ParseResult"
import { DecodeError } from "../../Errors.js"
import { wordsOf } from "../table/shape.js"

/** Unknown filters are refused too: a filter with a typo would select everything. */
export const checked = <A, I>(
  schema: Schema.Schema<A, I>,
  filters: unknown,
  where: string
): Effect.Effect<A, DecodeError> =>
  Effect.mapError(
    Decode.decodeUnknown(schema, { onExcessProperty: "error" })(filters),
    (issue) => new DecodeError({ table: where, id: "", ...wordsOf(Decode.parseError(issue)), stage: "filter" })
  )
