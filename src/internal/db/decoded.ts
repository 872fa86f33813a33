import { Effect, Schema } from "effect"
import { DecodeError } from "../../Errors.js"
import { wordsOf } from "../table/shape.js"
import { zonelessIn } from "../table/zoneless.js"
import { hasCast } from "../values/cast.js"
import type { ExactOptions } from "./database.js"

/** What is to be known of a schema, once. */
interface Known {
  readonly zoneless: ReturnType<typeof zonelessIn>
  readonly hasDigits: boolean
}

const known: WeakMap<object, Known> = new WeakMap()

const knownOf = (schema: Schema.Schema.AnyNoContext): Known => {
  const before = known.get(schema)
  if (before !== undefined) return before
  const now = { zoneless: zonelessIn(schema), hasDigits: hasCast(schema.ast) }
  known.set(schema, now)
  return now
}

/** A schema of `Values` reads numbers with all their digits. */
export const exactFor = <O extends ExactOptions>(schema: Schema.Schema.AnyNoContext, options: O | undefined) =>
  options?.exact === undefined && knownOf(schema).hasDigits ? { ...options, exact: true } : options

/** What came as the schema has it; `from` tells the table or function that it is of. */
export const decodedBy = <A, I>(
  schema: Schema.Schema<A, I>,
  stage: "read" | "write",
  from: () => string
): ((u: unknown) => Effect.Effect<A, DecodeError>) => {
  const decode = Schema.decodeUnknown(schema)
  const { zoneless } = knownOf(schema)
  return (u) => {
    const found = zoneless?.(u)
    return found === undefined
      ? Effect.mapError(decode(u), (error) => new DecodeError({ table: from(), id: "", ...wordsOf(error), stage }))
      : Effect.fail(new DecodeError({ table: from(), id: "", ...found, stage }))
  }
}
