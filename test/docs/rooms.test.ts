import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const internal = join(root, "src/internal")

const isModule = (path: string): boolean => /\.(tsx?|cts)$/.test(path)

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))

const rooms = readdirSync(internal)

/** The first cells of a table's rows, where they are code. */
const namedIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, name = ""]) => name)

/** What a module imports of this project, types aside: those are not loaded. */
const importsOf = (path: string): ReadonlyArray<string> =>
  [
    ...readFileSync(path, "utf8").matchAll(
      /(?:^|[^.\w])(?:from|import\(?)\s*"(\.{1,2}\/[^"]+|effect-supabase-pool[^"]*)"/g
    )
  ]
    .map(([, name = ""]) =>
      name.startsWith(".")
        ? normalize(join(dirname(path), name))
        : join(root, "src", name === "effect-supabase-pool" ? "index.js" : `${name.split("/")[1]}.js`)
    )
    .flatMap((name) => [name.replace(/\.js$/, ".ts"), name.replace(/\.js$/, ".tsx")])
    .filter((name) => existsSync(name))

const loadedFrom = (paths: ReadonlyArray<string>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const next of importsOf(path)) visit(next)
  }
  for (const path of paths) visit(path)
  return seen
}

describe("src/internal", () => {
  it("holds folders only", () => {
    expect(readdirSync(internal, { withFileTypes: true }).filter((entry) => !entry.isDirectory())).toEqual([])
  })

  it.each(rooms)("%s opens with a README that names each of its files once, and no other", (room) => {
    const readme = readFileSync(join(internal, room, "README.md"), "utf8")
    expect(readme).toMatch(/^# .+\n\n.{20,}/)
    for (const part of ["- **In:** ", "- **Out:** ", "- **Tests:** "]) expect(readme).toContain(part)
    expect([...namedIn(readme)].sort()).toEqual(
      filesIn(join(internal, room))
        .filter((path) => isModule(path))
        .sort()
    )
    for (const [, path = ""] of readme.matchAll(/`((?:test|src|supabase)\/[^`…]*)`/g)) {
      expect(existsSync(join(root, path)), path).toBe(true)
    }
  })

  it("is mapped in CONTRIBUTING, room by room, with folders of tests that are there", () => {
    const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")
    const map = text.slice(text.indexOf("| room (`src/internal/…`)"), text.indexOf("### Where to change what"))
    expect([...namedIn(map)].sort()).toEqual([...rooms].sort())
    for (const [, path = ""] of text.matchAll(/`(test\/[^`]*)`/g)) expect(existsSync(join(root, path)), path).toBe(true)
  })

  it("is as the first change in CONTRIBUTING finds it: its diff applies", () => {
    const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")
    const [, diff = ""] = /^```diff\n([\s\S]*?\n)```$/m.exec(text) ?? []
    expect(diff).toContain("errorCodes.ts")
    const { status, stderr } = spawnSync("git", ["apply", "--check", "-"], { cwd: root, input: diff, encoding: "utf8" })
    expect([status, stderr]).toEqual([0, ""])
  })

  it("is where the other pages of CONTRIBUTING send the reader", () => {
    const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")
    const [start, end] = ["### Where to change what", "### Glossary"].map((title) => text.indexOf(title))
    const paths = [...text.slice(start, end).matchAll(/`(\w+\/\w+\.tsx?)`/g)].map(([, path = ""]) => path)
    expect(paths.length).toBeGreaterThan(20)
    for (const path of paths) {
      expect(
        [join(internal, path), join(root, path)].some((file) => existsSync(file)),
        path
      ).toBe(true)
    }
  })
})

describe("test", () => {
  const kinds = ["browser", "bundlers", "docs", "faults", "laws", "package", "retry", "runtimes", "security", "support"]

  it("has a folder for each room, and for each kind of test that CONTRIBUTING names", () => {
    const folders = readdirSync(join(root, "test"))
    expect(folders.filter((name) => ![...rooms, ...kinds, "traps", "types"].includes(name))).toEqual([])
    expect(rooms.filter((name) => !folders.includes(name))).toEqual([])
  })

  it("tests every public module in a file of its name", () => {
    const names = filesIn(join(root, "test")).map((path) => path.split("/").at(-1))
    const modules = readdirSync(join(root, "src")).filter((path) => /^[A-Z]\w+\.ts$/.test(path))
    expect(modules.filter((path) => !names.includes(path.replace(/\.ts$/, ".test.ts")))).toEqual([])
  })

  /** Programs, which tests start in processes of their own, types, and what edge runtimes are given in place of an entry. */
  const started = [
    "bin.ts",
    "internal/cli/program.ts",
    "internal/connection/undici.d.ts",
    "internal/load/staticServer.ts",
    "internal/promise/edge.cts",
    "main.ts"
  ]

  it("loads every module of src, but for programs and types", () => {
    const tests = filesIn(join(root, "test"))
      .filter((path) => path.endsWith(".test.ts") || path.endsWith("Child.ts"))
      .map((path) => join(root, "test", path))
    const loaded = loadedFrom(tests)
    const unloaded = filesIn(join(root, "src"))
      .filter((path) => isModule(path) && !loaded.has(join(root, "src", path)))
      .sort()
    expect(unloaded).toEqual(started)
  })
})
