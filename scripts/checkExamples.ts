/**
 * Type-checks every `@example` in the docstrings of src, each as a module of its own, with the package's name standing
 * for src. A mistake is reported at the line of the docstring, so that an editor can jump there.
 */
import { resolve } from "node:path"
import process from "node:process"
import ts from "typescript"

interface Example {
  /** A file that exists only in memory. Its lines have the numbers they have in `source`. */
  readonly path: string
  readonly source: string
  readonly text: string
}

const root = process.cwd()
const docstring = /\/\*\*[\s\S]*?\*\//g
const leader = /^\s*\* ?/
const fence = /^```/

/** The lines from an `@example` to the next tag; all others are empty, so that line numbers stay. */
const examplesOf = (source: string): ReadonlyArray<Example> => {
  const text = ts.sys.readFile(source) ?? ""
  const examples: Array<Example> = []
  for (const comment of text.matchAll(docstring)) {
    const above = text.slice(0, comment.index).split("\n").length - 1
    const lines = comment[0]
      .replace(/\*\/$/, "")
      .split("\n")
      .map((line) => line.replace(leader, ""))
    for (const [at, line] of lines.entries()) {
      if (!line.startsWith("@example")) continue
      const end = lines.findIndex((other, index) => index > at && other.startsWith("@"))
      const code = lines.slice(at + 1, end === -1 ? lines.length : end).map((it) => (fence.test(it) ? "" : it))
      const first = above + at + 1
      examples.push({
        // Not in src: an example sees the package as users do, by its name.
        path: resolve(root, `example-${examples.length}-of-${source.slice(root.length + 1).replaceAll("/", "-")}`),
        source,
        text: "\n".repeat(first) + code.join("\n")
      })
    }
  }
  return examples
}

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

const examples = new Map(
  config.fileNames
    .filter((name) => name.startsWith(`${resolve(root, "src")}/`))
    .flatMap(examplesOf)
    .map((example) => [example.path, example] as const)
)

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

const program = ts.createProgram([...examples.keys()], options, host)
const wrong = [...examples.values()].flatMap(({ path, source }) => {
  const file = program.getSourceFile(path)
  if (file === undefined) return [`${source}: its example was not read`]
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
    const { line } = file.getLineAndCharacterOfPosition(diagnostic.start ?? 0)
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")
    return `${source.slice(root.length + 1)}:${line + 1} TS${diagnostic.code}: ${message}`
  })
})

if (examples.size === 0) wrong.push("no @example was found in src: this check would check nothing")
for (const line of wrong) process.stderr.write(`${line}\n`)
process.stdout.write(`${examples.size} examples in docstrings, ${wrong.length} mistakes\n`)
process.exitCode = wrong.length === 0 ? 0 : 1
