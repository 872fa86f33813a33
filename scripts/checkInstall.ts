/**
 * The package as a user has it: packed, installed into an empty project beside supabase-js and Effect and nothing else, and
 * used from there; then into others that have no Effect, or another one. Build it first (`npm run build`); what is already in npm's cache is not asked for again.
 *
 * A small server stands for the database, since what is tried here is the package and not the pool.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import process from "node:process"
import { promisify } from "node:util"
import { expectedVersion } from "../src/internal/cli/findings.js"

interface Manifest {
  readonly name: string
  readonly exports: Readonly<
    Record<string, string | Readonly<Record<string, string | Readonly<Record<string, string>>>>>
  >
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const root = process.cwd()
const manifest: Manifest = JSON.parse(await readFile(resolve(root, "package.json"), "utf8"))

const mistakes: Array<string> = []
const expect = (what: string, holds: boolean, found = ""): void => {
  process.stdout.write(`${holds ? "ok   " : "wrong"} ${what}\n`)
  if (!holds) mistakes.push(`${what}\n${found}`)
}

interface Outcome {
  readonly code: number
  readonly output: string
}

/** With nothing of this process's environment but what programs need to be found. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>> = {}) => {
  const { HOME = "", PATH = "" } = process.env
  const options = { cwd, timeout: 120_000, env: { HOME, PATH, ...env } }
  return promisify(execFile)(command, args, options).then(
    ({ stderr, stdout }): Outcome => ({ code: 0, output: stdout + stderr }),
    (error): Outcome => ({ code: error.code ?? -1, output: `${error.stdout ?? ""}${error.stderr ?? error.message}` })
  )
}

// --- what is packed -------------------------------------------------------------------

const expected = [
  /^dist\/.+\.(c?js|d\.c?ts)(\.map)?$/,
  /^dist\/dashboard\//,
  // Made by scripts/bundleUndici.ts.
  /^vendor\/undici\/(client\.js|LICENSE)$/,
  // Made by scripts/bundleRateLimiter.ts.
  /^vendor\/effect\/(rateLimiter\.(js|d\.ts)|LICENSE)$/,
  // The source maps lead there.
  /^src\/.+\.(cts|tsx?)$/,
  /^supabase\/(migrations\/\d+_\w+\.sql|seed\.sql)$/,
  /^(README|CHANGELOG|SECURITY)\.md$/,
  // Without the pictures, which are more than half as large as everything else.
  /^docs\/[\w-]+\.(md|json)$/,
  /^docs\/prometheus\/[\w.]+\.yml$/,
  /^(LICENSE|package\.json)$/
]

const folder = await mkdtemp(join(tmpdir(), "supabase-pool-install-"))

try {
  const packed = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], root)
  const [tarball]: ReadonlyArray<{
    readonly filename: string
    readonly unpackedSize: number
    readonly files: ReadonlyArray<{ readonly path: string }>
  }> = JSON.parse(packed.output.slice(packed.output.indexOf("[")))
  if (tarball === undefined) throw new Error(`npm pack gave nothing: ${packed.output}`)
  const paths = tarball.files.map(({ path }) => path)
  const strangers = paths.filter((path) => !expected.some((pattern) => pattern.test(path)))
  expect("the package holds only what users need", strangers.length === 0, strangers.join("\n"))
  const targets = Object.values(manifest.exports)
    .flatMap((target) =>
      typeof target === "string"
        ? [target]
        : Object.values(target).flatMap((each) => (typeof each === "string" ? [each] : Object.values(each)))
    )
    .map((path) => path.slice(2))
  const missing = [
    ...targets,
    "supabase/seed.sql",
    "vendor/undici/client.js",
    "vendor/undici/LICENSE",
    "vendor/effect/rateLimiter.js",
    "CHANGELOG.md",
    "docs/README.md",
    "docs/transactions.md",
    "docs/grafana-dashboard.json"
  ].filter((path) => !paths.includes(path))
  expect("the package holds whatever its exports name", missing.length === 0, missing.join("\n"))

  // --- installed -----------------------------------------------------------------------

  const optional = (name: string): boolean => manifest.peerDependenciesMeta[name]?.optional === true
  const ofEffect = Object.keys(manifest.peerDependencies).filter((name) => /^(effect$|@effect\/)/.test(name))
  const peers = [...Object.keys(manifest.peerDependencies).filter((name) => !optional(name)), ...ofEffect]
  const exact = (name: string): string => `${name}@${manifest.devDependencies[name] ?? "latest"}`
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }))
  const npm = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
  const installed = await run("npm", [...npm, join(folder, tarball.filename), ...peers.map(exact)], folder)
  expect(`npm installs it with its peers (${peers.join(", ")})`, installed.code === 0, installed.output)
  const absent = Object.keys(manifest.peerDependencies).filter((name) => !peers.includes(name))
  const present = absent.filter((name) => existsSync(join(folder, "node_modules", name)))
  expect(`optional peers are left out (${absent.join(", ")})`, present.length === 0, present.join())

  // --- compiled ------------------------------------------------------------------------

  const sources = resolve(root, "scripts/install")
  for (const file of ["effect.ts", "embedded.ts", "promise.ts", "route.ts"])
    await cp(join(sources, file), join(folder, file))
  const compilerOptions = { module: "NodeNext", target: "ES2022", lib: ["ES2022", "DOM"], types: [], strict: true }
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: { ...compilerOptions, skipLibCheck: true, jsx: "react-jsx" },
      include: ["*.ts", "*.tsx"]
    })
  )
  const compiles = async (what: string) => {
    const compiled = await run(process.execPath, [resolve(root, "node_modules/typescript/bin/tsc"), "-p", "."], folder)
    expect(what, compiled.code === 0, compiled.output)
  }
  await compiles("programs compile against its types")

  // --- run -----------------------------------------------------------------------------

  const answers: Readonly<Record<string, unknown>> = {
    "/rest/v1/products": [{ title: "Laptop" }],
    "/rest/v1/rpc/supabase_pool_ping": true,
    "/rest/v1/rpc/supabase_pool_version": expectedVersion
  }
  const server = createServer((request, response) => {
    const answer = answers[new URL(request.url ?? "/", "http://localhost").pathname]
    request.resume()
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(answer ?? { code: "PGRST205", message: "none", details: null, hint: null }))
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  const env = {
    SUPABASE_URL: `http://127.0.0.1:${address.port}`,
    SUPABASE_ANON_KEY: "sb_publishable_x",
    SUPABASE_SERVICE_ROLE_KEY: "sb_secret_y"
  }
  const says = async (
    what: string,
    args: ReadonlyArray<string>,
    texts: ReadonlyArray<string>,
    code = 0,
    vars = env
  ) => {
    const outcome = await run(process.execPath, args, folder, vars)
    expect(what, outcome.code === code && texts.every((text) => outcome.output.includes(text)), outcome.output)
  }
  const bin = "node_modules/.bin/supabase-pool"
  const none = { ...env, SUPABASE_URL: "" }
  await says("an Effect program reads", ["effect.js"], ["effect: Laptop"])
  await says(
    "a Promise program and a route handler read, and the program ends",
    ["promise.js"],
    ["promise: Laptop", 'route: 200 [{"title":"Laptop"}]', "connections: true"]
  )
  await says("supabase-pool --help", [bin, "--help"], ["check", "migration", "serve", "embedded"])
  await says("supabase-pool check, against a database", [bin, "check"], [`version ${expectedVersion}`])
  await says("supabase-pool check, against none", [bin, "check"], ["SUPABASE_URL"], 1, none)
  await says("supabase-pool migration", [bin, "migration"], ["supabase_pool.sql written"])

  // --- without the optional peers ---------------------------------------------------------

  await says("embedded names the packages that it needs", ["embedded.js"], ["npm install", "@supabase/lite"])
  const specifiers = Object.keys(manifest.exports)
    .filter((name) => name !== "./package.json")
    .map((name) => manifest.name + name.slice(1))
  const withoutEffect: ReadonlySet<string> = new Set([`${manifest.name}/promise`, `${manifest.name}/react`])
  for (const specifier of specifiers) {
    const outcome = await run(process.execPath, ["-e", `await import("${specifier}")`, "--input-type=module"], folder)
    const named = absent.find((need) => outcome.output.includes(`'${need}'`))
    const what = named === undefined ? "works" : `says that ${named} is missing`
    expect(`import "${specifier}" ${what}`, outcome.code === 0 || named !== undefined, outcome.output)
  }

  // --- without Effect, and with another -------------------------------------------------------

  const others = [
    ["no Effect", []],
    ["Effect 4", ["effect@4"]],
    ["Effect 2", ["effect@2"]]
  ] as const
  for (const [what, packages] of others) {
    const app = await mkdtemp(join(tmpdir(), "supabase-pool-other-"))
    try {
      await writeFile(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
      const asked = [join(folder, tarball.filename), exact("@supabase/supabase-js"), exact("@types/node"), ...packages]
      const added = await run("npm", [...npm, ...asked], app)
      const warned = added.output.split("\n").filter((line) => /^npm (warn|error) (?!install-scripts)/i.test(line))
      expect(
        `npm installs it beside ${what}, and warns of nothing`,
        added.code === 0 && warned.length === 0,
        added.output
      )
      const ofOthers = ["effect", "@effect/platform", "@effect/experimental", "@effect/cli"].filter(
        (name) => !(name === "effect" && packages.length > 0) && existsSync(join(app, "node_modules", name))
      )
      expect(`beside ${what} it brings nothing of Effect`, ofOthers.length === 0, ofOthers.join())
      for (const file of ["promise.ts", "route.ts", "errors.ts"]) await cp(join(sources, file), join(app, file))
      await writeFile(
        join(app, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            ...compilerOptions,
            types: ["node"],
            skipLibCheck: false,
            exactOptionalPropertyTypes: true
          },
          include: ["*.ts"]
        })
      )
      const compiler = resolve(root, "node_modules/typescript/bin/tsc")
      const compiled = await run(process.execPath, [compiler, "-p", "."], app)
      expect(`beside ${what} a Promise program compiles, its libraries too`, compiled.code === 0, compiled.output)
      const inApp = async (does: string, args: ReadonlyArray<string>, texts: ReadonlyArray<string>, code = 0) => {
        const outcome = await run(process.execPath, args, app, env)
        const isSo = outcome.code === code && texts.every((text) => outcome.output.includes(text))
        expect(`beside ${what} ${does}`, isSo, outcome.output)
      }
      await inApp("a Promise program reads and ends", ["promise.js"], ["promise: Laptop", "connections: true"])
      await inApp("errors are instances of what the entry exports", ["errors.js"], ["errors: true, true, 404"])
      await inApp("supabase-pool check works", [bin, "check"], [`version ${expectedVersion}`])
      for (const specifier of specifiers) {
        const ofEffect = !withoutEffect.has(specifier)
        const inEval = [
          "--input-type=module",
          "-e",
          `await import("${specifier}").catch(({ message }) => console.log(message))`
        ]
        const { output } = await run(process.execPath, inEval, app, env)
        const said = output.trim().split("\n")
        const isClear = said.length === 1 && output.includes("this entry needs effect ^3")
        expect(
          `beside ${what} import "${specifier}" ${ofEffect ? "says in a sentence what it needs" : "asks for no Effect"}`,
          ofEffect ? isClear : !output.includes("effect'") && !output.includes("this entry needs"),
          output
        )
      }
    } finally {
      await rm(app, { recursive: true, force: true })
    }
  }
  server.close()

  // --- with React ----------------------------------------------------------------------

  const withReact = ["react", "react-dom", "@types/react", "@types/react-dom"].map(exact)
  const added = await run("npm", [...npm, ...withReact], folder)
  expect(`npm installs ${withReact.join(", ")} beside it`, added.code === 0, added.output)
  await cp(join(sources, "react.tsx"), join(folder, "react.tsx"))
  await compiles("a page with the component compiles")
  await says("react-dom/server renders the component", ["react.js"], ["react: <"])
} finally {
  await rm(folder, { recursive: true, force: true })
}

for (const mistake of mistakes) process.stderr.write(`\n${mistake}\n`)
process.exitCode = mistakes.length === 0 ? 0 : 1
