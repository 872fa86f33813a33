import { Effect, Schema } from "effect"
import { DecodeError } from "../../Errors.js"
import { wordsOf } from "../table/shape.js"

/** What came as the schema has it; `from` tells the table or function that it is of. */
export const decodedBy = <A, I>(
  schema: Schema.Schema<A, I>,
  stage: "read" | "write",
  from: () => string
): ((u: unknown) => Effect.Effect<A, DecodeError>) => {
  const decode = Schema.decodeUnknown(schema)
  return (u) =>
    Effect.mapError(decode(u), (error) => new DecodeError({ table: from(), id: "", ...wordsOf(error), stage }))
}
