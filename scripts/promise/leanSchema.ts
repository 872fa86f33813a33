/**
 * What the errors say of Effect's `Schema`, and no more: in the Promise entry nobody decodes an error, and Schema with its
 * parser takes longer to load than everything else together. Fields are not checked here: only our own code makes errors,
 * and in the Effect entry, where all tests of it run, they are.
 */
import * as Data from "effect/Data"

interface Field {
  readonly defaultValue?: (() => unknown) | undefined
  readonly members?: ReadonlyArray<unknown>
}

type Fields = Readonly<Record<string, Field>>

type Values = Readonly<Record<string, unknown>>

const field: Field = {}

export { field as Boolean, field as Number, field as String }
export const Int: Field = field
export const Defect: Field = field
export const DurationFromMillis: Field = field
export const Literal = (): Field => field
export const Struct = (): Field => field
export const UndefinedOr = (): Field => field
export const optional = (): Field => field
export const optionalWith = (_: Field, options: { readonly default?: () => unknown }): Field => ({
  defaultValue: options.default
})
export const Union = (...members: ReadonlyArray<unknown>): Field => ({ members })

const list = (): Field => field

export { list as Array }

export const is =
  ({ members = [] }: Field) =>
  (u: unknown): boolean =>
    members.some((member) => typeof member === "function" && u instanceof member)

/** In the order of the fields, the tag behind them, as Schema has it. */
const valuesOf = (fields: Fields, given: Values, tag: string): Values => {
  const values: Record<string, unknown> = {}
  for (const [name, { defaultValue }] of Object.entries(fields)) {
    if (name in given && !(given[name] === undefined && defaultValue !== undefined)) values[name] = given[name]
    else if (defaultValue !== undefined) values[name] = defaultValue()
  }
  values["_tag"] = tag
  return values
}

export const TaggedError =
  (identifier?: string) =>
  (tag: string, fields: Fields): unknown => {
    /** By this Schema knows an instance of another copy of the class: `Schema.is(Db.QueryError)` says yes. */
    const known = Symbol.for(`effect/Schema/TaggedError/${identifier ?? tag}`)
    class Base extends Data.Error<Values> {}
    Base.prototype.name = tag
    return class extends Base {
      static readonly _tag = tag
      static readonly identifier = identifier ?? tag
      static readonly fields = fields
      constructor(given: Values = {}) {
        super(valuesOf(fields, given, tag))
      }
      get [known](): symbol {
        return known
      }
    }
  }
