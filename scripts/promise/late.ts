/**
 * Schema for what uses it when it is called: there from the moment on when `bind.ts` was loaded, which is with the first
 * module that has a schema of its own. A table of the Promise API has none of Effect's.
 */
import type * as Parsing from "effect/ParseResult"
import type * as Schemas from "effect/Schema"
import type * as Asts from "effect/SchemaAST"

interface Late {
  readonly Schema: typeof Schemas
  readonly SchemaAST: typeof Asts
  readonly ParseResult: typeof Parsing
}

export let Schema: Late["Schema"] | undefined
export let SchemaAST: Late["SchemaAST"] | undefined
/** Before that nobody has seen a schema fail. */
export let ParseResult: Late["ParseResult"] | { readonly isParseError: (u: unknown) => boolean } = {
  isParseError: () => false
}

export const bind = (late: Late): void => {
  Schema = late.Schema
  SchemaAST = late.SchemaAST
  ParseResult = late.ParseResult
}
