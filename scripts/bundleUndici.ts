/**
 * `npm install` and `npm run build` run this: it makes `vendor/undici/client.js`, one ES module that holds the part of
 * undici that is used, with Node's own modules as static imports, and puts undici's licence beside it.
 * `src/internal/undici.d.ts` says why.
 */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises"
import process from "node:process"
import { build, type Plugin } from "esbuild"

const folder = "vendor/undici"
const file = `${folder}/client.js`

const { version }: { readonly version: string } = JSON.parse(await readFile("node_modules/undici/package.json", "utf8"))

/** Only where undici keeps a cache in SQLite, which this part does not; Node 20 has no such module. */
const absent = new Set(["node:sqlite"])
const isAbsent = (path: string): string =>
  `throw Object.assign(new Error("${path}"), { code: "ERR_UNKNOWN_BUILTIN_MODULE" })`

const nameOf = (specifier: string): string => specifier.replace(/\W+/g, "_")

const builtins = new Set<string>()
/** Each `require` of a module of Node's becomes an import at the top of the file. */
const requireBuiltins: Plugin = {
  name: "require-builtins",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin" }))
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => {
      if (absent.has(path)) return { contents: isAbsent(path) }
      builtins.add(path)
      return { contents: `module.exports = ${nameOf(path)}` }
    })
  }
}

/**
 * Free names that become Node's own as they were at import: a spec's fake timers (`vi.useFakeTimers`) would otherwise
 * keep a request from being sent.
 */
const timers = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "queueMicrotask"
]
const realName = (timer: string): string => `real_${timer}`

const { outputFiles } = await build({
  stdin: { contents: 'export { default as Client } from "undici/lib/dispatcher/client.js"', resolveDir: process.cwd() },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  write: false,
  define: Object.fromEntries(timers.map((timer) => [timer, realName(timer)])),
  plugins: [requireBuiltins]
})
const bundled = outputFiles[0]?.text ?? ""
const left = /\b__require\(["'`].*/.exec(bundled)
if (left !== null) throw new Error(`${file} still has ${left[0]}, which has to become an import`)

const head = `/*! undici ${version}, MIT, see LICENSE beside this file. Made by scripts/bundleUndici.ts. */\n`
const imports = [...builtins].sort().map((name) => `import ${nameOf(name)} from "${name}"\n`)
const real = timers.map((timer) => `const ${realName(timer)} = globalThis.${timer}\n`)
await mkdir(folder, { recursive: true })
await writeFile(file, head + imports.join("") + real.join("") + bundled)
await copyFile("node_modules/undici/LICENSE", `${folder}/LICENSE`)
