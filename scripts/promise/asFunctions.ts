/**
 * Turns arrow functions into functions, where that means the same.
 *
 * When V8 loads a module it skips the body of a function and parses it at the first call. It parses the body of an arrow
 * function each time that it parses the code around it. Effect consists of nested arrow functions, and a first query calls
 * few of them.
 */
import ts from "typescript"

/** What an arrow function has from around it, and a function has of its own. */
const isOfAround = (node: ts.Node): boolean =>
  node.kind === ts.SyntaxKind.ThisKeyword ||
  node.kind === ts.SyntaxKind.ThisType ||
  node.kind === ts.SyntaxKind.SuperKeyword ||
  ts.isMetaProperty(node) ||
  (ts.isIdentifier(node) && node.text === "arguments")

/** Looks into nested functions too, although these have their own: the arrow function stays one more often than it has to. */
const usesWhatIsAround = (node: ts.Node): boolean =>
  isOfAround(node) || ts.forEachChild(node, (child) => usesWhatIsAround(child) || undefined) === true

/** There `function` would be a declaration. */
const beginsStatement = ({ parent }: ts.Node): boolean =>
  ts.isExpressionStatement(parent) || ts.isExportAssignment(parent)

interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

const insertion = (at: number, text: string): Edit => ({ from: at, to: at, text })

/** What opens it: the parentheses of a single parameter may be missing. */
const headOf = (arrow: ts.ArrowFunction, source: ts.SourceFile): ReadonlyArray<Edit> => {
  const children = arrow.getChildren(source)
  const first = children.find(({ kind }) => kind !== ts.SyntaxKind.SyntaxList || arrow.modifiers === undefined)
  const hasParentheses = children.some(({ kind }) => kind === ts.SyntaxKind.OpenParenToken)
  const at = arrow.modifiers === undefined ? arrow.getStart(source) : (first?.getStart(source) ?? arrow.modifiers.end)
  const [parameter] = arrow.parameters
  return hasParentheses || parameter === undefined
    ? [insertion(at, " function")]
    : [insertion(parameter.getStart(source), " function("), insertion(parameter.end, ")")]
}

/** Lines stay where they are. */
const editsOf = (arrow: ts.ArrowFunction, source: ts.SourceFile): ReadonlyArray<Edit> => {
  const { body, equalsGreaterThanToken } = arrow
  const sign = { from: equalsGreaterThanToken.getStart(source), to: equalsGreaterThanToken.end }
  return ts.isBlock(body)
    ? [...headOf(arrow, source), { ...sign, text: "" }]
    : [...headOf(arrow, source), { ...sign, text: "{return(" }, insertion(body.end, ")}")]
}

export const asFunctions = (file: string, text: string): string => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const edits: Array<Edit> = []
  const visit = (node: ts.Node): void => {
    if (ts.isArrowFunction(node) && !beginsStatement(node) && !usesWhatIsAround(node))
      edits.push(...editsOf(node, source))
    ts.forEachChild(node, visit)
  }
  visit(source)
  let made = ""
  let at = 0
  for (const edit of edits.sort((one, other) => one.from - other.from)) {
    made += text.slice(at, edit.from) + edit.text
    at = edit.to
  }
  return made + text.slice(at)
}
