/** A schema without its filters: what is added to a value need not be one. */
import { SchemaAST } from "effect"

const ofProperty = (it: SchemaAST.PropertySignature): SchemaAST.PropertySignature =>
  new SchemaAST.PropertySignature(it.name, withoutBounds(it.type), it.isOptional, it.isReadonly, it.annotations)

export const withoutBounds = (ast: SchemaAST.AST): SchemaAST.AST => {
  switch (ast._tag) {
    case "Refinement":
      return withoutBounds(ast.from)
    case "Transformation":
      return new SchemaAST.Transformation(withoutBounds(ast.from), withoutBounds(ast.to), ast.transformation)
    case "TypeLiteral":
      return new SchemaAST.TypeLiteral(ast.propertySignatures.map(ofProperty), ast.indexSignatures)
    case "Union":
      return SchemaAST.Union.make(ast.types.map(withoutBounds))
    default:
      return ast
  }
}
