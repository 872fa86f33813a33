/**
 * Type-checks every `@example` in the docstrings of src and every block of TypeScript in README, CONTRIBUTING and docs,
 * each as a module of its own, with the package's name standing for src. A mistake is reported at its line, so that an
 * editor can jump there. Links between these pages are followed too, and what users can import has its tags.
 *
 * A block that cannot be compiled alone begins with "ts fragment: why".
 */
import { existsSync, readdirSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import ts from "typescript"
import { staleCopies } from "./examples/copies.js"
import { examplesOf } from "./examples/docstrings.js"
import { nameOf, root } from "./examples/example.js"
import { mistakesIn } from "./examples/links.js"
import { read } from "./examples/markdown.js"
import { untagged } from "./examples/tags.js"

const configPath = resolve(root, "tsconfig.json")
const config = ts.parseJsonConfigFileContent(ts.readConfigFile(configPath, ts.sys.readFile).config, ts.sys, root)
const options: ts.CompilerOptions = {
  ...config.options,
  incremental: false,
  noUnusedLocals: false,
  noUnusedParameters: false,
  moduleDetection: ts.ModuleDetectionKind.Force
}
delete options.tsBuildInfoFile

const inDocs = existsSync("docs")
  ? readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"))
  : []
const pages = new Map(
  ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", ...inDocs.map((name) => `docs/${name}`)]
    .filter((name) => !name.startsWith("docs/api/"))
    .map((name) => resolve(root, name))
    .map((path) => [path, read(path)] as const)
)
const inDocstrings = config.fileNames.filter((name) => name.startsWith(`${resolve(root, "src")}/`)).flatMap(examplesOf)
const inPages = [...pages.values()].flatMap((page) => page.examples)
const examples = new Map([...inDocstrings, ...inPages].map((example) => [example.path, example] as const))

const host = ts.createCompilerHost(options)
const { fileExists, getSourceFile, readFile } = host
host.fileExists = (path) => examples.has(path) || fileExists(path)
host.readFile = (path) => examples.get(path)?.text ?? readFile(path)
host.getSourceFile = (path, languageVersion, ...rest) => {
  const example = examples.get(path)
  return example === undefined
    ? getSourceFile(path, languageVersion, ...rest)
    : ts.createSourceFile(path, example.text, languageVersion)
}

/** As `exports` in package.json names them. */
const modules: ReadonlyArray<string> = Object.values<
  string | { readonly default: string | { readonly types: string } }
>(JSON.parse(readFile("package.json") ?? "").exports)
  .map((target) =>
    typeof target === "string" ? target : typeof target.default === "string" ? target.default : target.default.types
  )
  .filter((path) => path.startsWith("./dist/"))
  .map((path) => resolve(root, path.replace("./dist/", "src/").replace(/(\.d\.ts|\.js)$/, ".ts")))
  .map((path) => (existsSync(path) ? path : `${path}x`))

const program = ts.createProgram([...examples.keys(), ...modules], options, host)
const wrong = [...examples.values()].flatMap(({ path, source }) => {
  const file = program.getSourceFile(path)
  if (file === undefined) return [`${source}: its example was not read`]
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
    const { line } = file.getLineAndCharacterOfPosition(diagnostic.start ?? 0)
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")
    return `${nameOf(source)}:${line + 1} TS${diagnostic.code}: ${message}`
  })
})
wrong.push(...untagged(program, modules))
wrong.push(...[...pages.keys()].flatMap(staleCopies))
wrong.push(...mistakesIn(pages, pages.get(resolve(root, "docs/README.md"))))

if (inDocstrings.length === 0) wrong.push("no @example was found in src: this check would check nothing")
if (inPages.length === 0) wrong.push("no block of TypeScript was found in any page: this check would check nothing")
for (const line of wrong) process.stderr.write(`${line}\n`)
process.stdout.write(
  `${inDocstrings.length} examples in docstrings and ${inPages.length} in pages, ${wrong.length} mistakes\n`
)
process.exitCode = wrong.length === 0 ? 0 : 1
