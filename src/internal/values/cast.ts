/** How a schema says what its column is to be cast to when it is read: JSON would lose a part of the value. */
import type { SchemaAST as AST } from "effect"

export const castAnnotationId: unique symbol = Symbol.for("effect-supabase-pool/Values/cast")

const castAt = (ast: AST.AST): string | undefined => {
  const cast = ast.annotations[castAnnotationId]
  return typeof cast === "string" ? cast : undefined
}

/** NULL, filters and what a schema of one's own makes of the value leave it as it is. */
const castOf = (ast: AST.AST): string | undefined => {
  const own = castAt(ast)
  if (own !== undefined) return own
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return castOf(ast.from)
    case "Union":
      return ast.types.map(castOf).find((cast) => cast !== undefined)
    default:
      return undefined
  }
}

/** Of a struct whose only field is the column. */
export const castOfColumn = (struct: AST.AST): string | undefined => {
  if (struct._tag === "Transformation") return castOfColumn(struct.from)
  const [field] = struct._tag === "TypeLiteral" ? struct.propertySignatures : []
  return field && castOf(field.type)
}

/** Whether there is one below: in a list, or in JSON, which no cast of the column reaches. */
export const hasCast = (ast: AST.AST, seen: Set<AST.AST> = new Set()): boolean => {
  if (castAt(ast) !== undefined) return true
  switch (ast._tag) {
    case "Refinement":
    case "Transformation":
      return hasCast(ast.from, seen)
    case "Union":
      return ast.types.some((type) => hasCast(type, seen))
    case "TupleType":
      return [...ast.elements, ...ast.rest].some(({ type }) => hasCast(type, seen))
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].some(({ type }) => hasCast(type, seen))
    case "Suspend": {
      if (seen.has(ast)) return false
      seen.add(ast)
      return hasCast(ast.f(), seen)
    }
    default:
      return false
  }
}
