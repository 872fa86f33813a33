/**
 * `npm install` and `npm run build` run this: it makes `vendor/undici/client.js`, one ES module that holds the part of
 * undici that is used, with Node's own modules as static imports and two patches, and puts undici's licence beside it.
 * `src/internal/connection/undici.d.ts` says why.
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

/**
 * Loaded when it is needed, which with HTTP/1.1 over sockets that are ours is never: HTTP/2, forms, WebSockets. Node loads
 * each as it is first imported, and together they take as long as the rest of this file.
 */
const onDemand = new Set([
  "node:crypto",
  "node:http2",
  "node:perf_hooks",
  "node:tls",
  "node:worker_threads",
  "node:zlib"
])

/** All of it would be loaded for one figure, that we give ourselves, and one class, of streams that we never send. */
const instead = new Map([["node:http", "module.exports = { maxHeaderSize: 16384 }"]])

const nameOf = (specifier: string): string => specifier.replace(/\W+/g, "_")

const builtins = new Set<string>()
/** Each `require` of a module of Node's becomes an import at the top of the file. */
const requireBuiltins: Plugin = {
  name: "require-builtins",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin" }))
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => {
      if (absent.has(path)) return { contents: isAbsent(path) }
      const other = instead.get(path)
      if (other !== undefined) return { contents: other }
      if (onDemand.has(path)) return { contents: `module.exports = process.getBuiltinModule("${path}")` }
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

/**
 * undici destroys the socket where a server says 100 (Continue) though nobody asked it to, which RFC 9110 §15.2 has a
 * client pass over, as undici does with 102 and 103. Only its parser knows which bytes begin an answer and which are in the
 * middle of one, so the exception is taken out there: a filter before it would have to parse HTTP a second time.
 */
const destroysAt100 =
  /\n {4}if \(statusCode === 100\) \{\n {6}util\.destroy\(socket, new SocketError\('bad response'[^\n]*\n {6}return -1\n {4}\}\n/

const passOver100: Plugin = {
  name: "pass-over-100",
  setup: ({ onLoad }) => {
    onLoad({ filter: /undici\/lib\/dispatcher\/client-h1\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8")
      const patched = source.replace(destroysAt100, "\n")
      if (patched === source) throw new Error(`${path} treats 100 otherwise than it did: look at this patch again`)
      return { contents: patched }
    })
  }
}

/** The client requires its HTTP/2 at once. */
const requiresHttp2 = "const connectH2 = require('./client-h2.js')"

const http2OnDemand: Plugin = {
  name: "http2-on-demand",
  setup: ({ onLoad }) => {
    onLoad({ filter: /undici\/lib\/dispatcher\/client\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8")
      const patched = source.replace(requiresHttp2, "const connectH2 = (...of) => require('./client-h2.js')(...of)")
      if (patched === source) throw new Error(`${path} loads HTTP/2 otherwise than it did: look at this patch again`)
      return { contents: patched }
    })
  }
}

/**
 * Who traces what a process sends (OpenTelemetry, Sentry, Datadog) listens to these channels. The pool's own requests are none
 * of the application's: each would be a trace of its own, every few seconds.
 */
const requestChannels = /diagnosticsChannel\.channel\('undici:(?:request:\w+|client:sendHeaders)'\)/g

const ofOthers = `
/** Without the requests that carry the pool's own header: see scripts/bundleUndici.ts. */
const ofOthers = (channel) => ({
  get hasSubscribers () { return channel.hasSubscribers },
  publish (message) {
    if (!message.request.headers.includes('x-supabase-pool')) channel.publish(message)
  }
})
`

const ownRequestsUntold: Plugin = {
  name: "own-requests-untold",
  setup: ({ onLoad }) => {
    onLoad({ filter: /undici\/lib\/core\/diagnostics\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8")
      const count = source.match(requestChannels)?.length
      if (count !== 8) throw new Error(`${path} has ${count} channels of requests, and had 8: look at this patch again`)
      return { contents: ofOthers + source.replace(requestChannels, (channel) => `ofOthers(${channel})`) }
    })
  }
}

const { outputFiles } = await build({
  stdin: { contents: 'export { default as Client } from "undici/lib/dispatcher/client.js"', resolveDir: process.cwd() },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  write: false,
  // Names stay, for whoever looks into it; what V8 has to read is a third less.
  minifyWhitespace: true,
  define: Object.fromEntries(timers.map((timer) => [timer, realName(timer)])),
  plugins: [requireBuiltins, passOver100, http2OnDemand, ownRequestsUntold]
})
const bundled = outputFiles[0]?.text ?? ""
const left = /\b__require\(["'`].*/.exec(bundled)
if (left !== null) throw new Error(`${file} still has ${left[0]}, which has to become an import`)

const head = `/*! undici ${version}, patched, MIT, see LICENSE beside this file. Made by scripts/bundleUndici.ts. */\n`
const imports = [...builtins].sort().map((name) => `import ${nameOf(name)} from "${name}"\n`)
const real = timers.map((timer) => `const ${realName(timer)} = globalThis.${timer}\n`)
await mkdir(folder, { recursive: true })
await writeFile(file, head + imports.join("") + real.join("") + bundled)
await copyFile("node_modules/undici/LICENSE", `${folder}/LICENSE`)
