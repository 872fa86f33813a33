/**
 * The Promise entry as one file with the part of Effect that it uses inside, and others with what a first query does not
 * need. `scripts/bundleEntries.ts` says why.
 *
 * What makes it small: namespaces are imported by their modules; what is loaded at once has nothing of `Schema`; what the
 * files beside this one stand for is loaded when somebody asks for it.
 */
import { readFile } from "node:fs/promises"
import { relative, resolve } from "node:path"
import { type BuildResult, build, type Metafile, type Plugin } from "esbuild"
import { asFunctions } from "./asFunctions.js"
import { byModule, type Substitute } from "./byModule.js"

const root = resolve(import.meta.dirname, "../..")

const ofScripts = (name: string): string => resolve(root, "scripts/promise", name)

/** Classes of errors and types of events, which are made when their modules are loaded. */
const lean =
  /^(src\/(Errors|Config|Audit|internal\/(errors\/transactionErrors|db\/operationErrors|audit\/eventType))\.ts|vendor\/effect\/rateLimiter\.js)$/

/** Modules that are given schemas. */
const late = /^src\/internal\/(db\/decoded|db\/derived|table\/\w+)\.ts$/

/** The first module of those that have schemas of their own. */
const binding = /^src\/Marketplace\.ts$/

/** What is loaded late, and shares what it needs with the entry. */
const sharing = /^src\/internal\/(transaction\/run|table\/table)\.ts$/

const substituteIn =
  (path: string): Substitute =>
  (module, as) => {
    if (lean.test(path) && module === "Schema") return `import * as ${as} from "${ofScripts("leanSchema.ts")}"`
    return late.test(path) && ["Schema", "SchemaAST", "ParseResult"].includes(module)
      ? `import { ${module} as ${as} } from "${ofScripts("late.ts")}"`
      : undefined
  }

/** Modules of Node's that take their time, and that only sockets, certificates, keys and compressed answers need. */
const builtins = /import (?:\* as (\w+)|\{ ([\w, ]+) \}) from "(node:(?:crypto|dns|fs|net|tls|zlib))"/g

const builtinsOnDemand = (source: string): string => {
  const made = source.replace(builtins, (_, as: string | undefined, names: string | undefined, module: string) =>
    as === undefined
      ? (names ?? "")
          .split(", ")
          .map((name) => `const ${name} = (...given) => builtin("${module}").${name}(...given)`)
          .join(";")
      : `const ${as} = builtin("${module}")`
  )
  return made === source ? source : `import { builtin } from "${ofScripts("builtin.ts")}";${made}`
}

/**
 * Effect's logger for terminals, which nobody has here, asks for the standard output when it is loaded. That takes 3 ms where it
 * is a pipe: a socket is made for it.
 */
const withoutTerminal = (source: string): string =>
  source.replace(
    /^const (hasProcessStdout|processStdoutIsTTY|hasProcessStdoutOrDeno) = (.*);$/gm,
    "const $1 = /*#__PURE__*/(() => $2)();"
  )

const loadedFirst = (file: string): string => {
  if (binding.test(file)) return `import "${ofScripts("bind.ts")}";`
  return sharing.test(file) ? `import "${resolve(root, "src/promise.js")}";` : ""
}

const sources: Plugin = {
  name: "sources",
  setup: ({ onLoad }) => {
    onLoad(
      {
        filter:
          /\/((src|scripts\/promise)\/.*\.tsx?|vendor\/effect\/.*\.js|(@effect\/[^/]+|effect)\/dist\/esm\/.*\.js)$/
      },
      async ({ path }) => {
        const file = relative(root, path)
        const source = builtinsOnDemand(byModule(withoutTerminal(await readFile(path, "utf8")), substituteIn(file)))
        const contents = asFunctions(path, loadedFirst(file) + source)
        return { contents, loader: path.endsWith(".js") ? "js" : "ts" }
      }
    )
  }
}

/** What a module of `src` is replaced by, in the eyes of whom. */
const substitutes = [
  { filter: /\/httpClient\.js$/, by: "httpClient.ts", for: /./ },
  { filter: /\/transaction\/run\.js$/, by: "run.ts", for: /./ },
  { filter: /\/table\/table\.js$/, by: "table.ts", for: /\/internal\/(promise\/table|db\/derived)\.ts$/ }
]

/** What Effect's runtime and supervisors use for what nobody asks of them here: programs of `Micro`, `Supervisor.fibersIn`. */
const usesOthers = /effect\/dist\/esm\/internal\/(fiberRuntime|supervisor)\.js$/

const standIns: Plugin = {
  name: "stand-ins",
  setup: ({ onLoad, onResolve }) => {
    for (const { by, filter, for: importers } of substitutes) {
      onResolve({ filter }, ({ importer }) =>
        importers.test(importer) && importer !== ofScripts(by) ? { path: ofScripts(by) } : undefined
      )
    }
    onResolve({ filter: /^#undici$/ }, ({ path }) => ({ path, external: true }))
    onResolve({ filter: /\/scripts\/promise\/bind\.ts$/ }, ({ path }) => ({ path, sideEffects: true }))
    onResolve({ filter: /\/src\/promise\.js$/ }, () => ({ path: resolve(root, "src/promise.ts"), sideEffects: true }))
    onResolve({ filter: /\/RateLimit\/Redis\.js$/ }, ({ path }) => ({ path, namespace: "nobody" }))
    onResolve({ filter: /\/(Micro|SortedSet)\.js$/ }, ({ importer, path }) =>
      usesOthers.test(importer) ? { path, namespace: "nobody" } : undefined
    )
    onLoad({ filter: /.*/, namespace: "nobody" }, () => ({ contents: "module.exports = {}" }))
  }
}

/** The entry's own file and those that it imports at once. */
export const filesAtOnce = ({ outputs }: Metafile): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { kind, path: next } of outputs[path]?.imports ?? []) if (kind === "import-statement") visit(next)
  }
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint === "src/promise.ts") visit(path)
  return seen
}

/** Modules that are loaded with the entry, with the bytes that are left of them. */
export const loadedAtOnce = (metafile: Metafile): ReadonlyMap<string, number> =>
  new Map(
    [...filesAtOnce(metafile)].flatMap((path) =>
      Object.entries(metafile.outputs[path]?.inputs ?? {}).map(
        ([input, { bytesInOutput }]) => [input, bytesInOutput] as const
      )
    )
  )

export const bundle = (outdir: string): Promise<BuildResult<{ metafile: true }>> =>
  build({
    entryPoints: ["src/promise.ts"],
    absWorkingDir: root,
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "promise/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: ["@supabase/supabase-js"],
    // Half of an import is reading the file.
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: "warning",
    logOverride: { "ignored-bare-import": "silent" },
    plugins: [standIns, sources]
  })
