/** Everything that users can import says since when it is there and what it is; the API reference sorts by that. */
import ts from "typescript"
import { nameOf } from "./example.js"

const wanted = ["since", "category"]

/** The declarations behind a name, `export … from` followed to its end; of an `export * as` the module itself. */
const declarationsOf = (symbol: ts.Symbol, checker: ts.TypeChecker): ReadonlyArray<ts.Declaration> => {
  const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return (meant.declarations ?? []).filter((declaration) => !ts.isSourceFile(declaration))
}

const tagsOf = (declaration: ts.Declaration): ReadonlyArray<string> =>
  ts.getJSDocTags(declaration).map(({ tagName }) => tagName.text)

const where = (declaration: ts.Declaration): string => {
  const file = declaration.getSourceFile()
  return `${nameOf(file.fileName)}:${file.getLineAndCharacterOfPosition(declaration.getStart()).line + 1}`
}

/** Of several declarations of one name (overloads, a type beside a value) one with the tags is enough per kind. */
const mistakesOf = (symbol: ts.Symbol, checker: ts.TypeChecker): ReadonlyArray<string> => {
  const declarations = declarationsOf(symbol, checker)
  const tagged = new Set(
    declarations.filter((it) => wanted.every((tag) => tagsOf(it).includes(tag))).map((it) => it.kind)
  )
  return declarations
    .filter((it) => !tagsOf(it).includes("internal") && !tagged.has(it.kind))
    .filter((it) => !it.getSourceFile().isDeclarationFile)
    .map((it) => {
      const missing = wanted.filter((tag) => !tagsOf(it).includes(tag)).map((tag) => `@${tag}`)
      return `${where(it)} ${symbol.name} lacks ${missing.join(" and ")}`
    })
}

export const untagged = (program: ts.Program, modules: ReadonlyArray<string>): ReadonlyArray<string> => {
  const checker = program.getTypeChecker()
  return [
    ...new Set(
      modules.flatMap((path) => {
        const file = program.getSourceFile(path)
        const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file)
        if (symbol === undefined) return [`${nameOf(path)}:1 is no module`]
        return checker.getExportsOfModule(symbol).flatMap((it) => mistakesOf(it, checker))
      })
    )
  ]
}
