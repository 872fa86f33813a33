/** Pages that say what was tried: each row names what shows it, which is there, in the version that was tried. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { rowsOf } from "../support/pageTables.js"
import { root } from "../support/program.js"

const read = (path: string): string => readFileSync(`${root}${path}`, "utf8")

const sectionsOf = (page: string): ReadonlyMap<string, string> =>
  new Map(
    read(page)
      .split("\n## ")
      .slice(1)
      .map((section): [string, string] => [section.split("\n")[0] ?? "", section])
  )

const versions: ReadonlyMap<string, string> = new Map(
  ["package.json", "test/bundlers/package.json", "test/runtimes/package.json"].flatMap((path) => {
    const { dependencies, devDependencies }: Record<string, Record<string, string> | undefined> = JSON.parse(read(path))
    const all = Object.entries({ ...dependencies, ...devDependencies })
    return all.map(([name, version]): [string, string] => [`${path} ${name}`, version])
  })
)

const tried = (name: string): ReadonlyArray<string> =>
  [...versions].flatMap(([key, version]) => (key.endsWith(` ${name}`) ? [version] : []))

describe("docs/gateways.md", () => {
  const rows = rowsOf(sectionsOf("docs/gateways.md").get("What the pool does") ?? "")

  it("names a test for each thing that the pool does", () => {
    expect(rows.length).toBeGreaterThan(5)
    for (const [what = "", , shown = ""] of rows) {
      const [, title = "", path = ""] = /^\[(.+)\]\(\.\.\/(test\/[^)]+)\)$/.exec(shown) ?? []
      expect([what, path !== "" && read(path).includes(title)]).toEqual([what, true])
    }
  })

  it("names a source for each figure", () => {
    const section = sectionsOf("docs/gateways.md").get("Their limits") ?? ""
    const sources = new Set([...section.matchAll(/^(\d)\. .*https:\/\//gm)].map(([, n]) => n))
    const used = new Set(
      rowsOf(section.split("\n\n")[1] ?? "").flatMap((row) =>
        [...row.join(" ").matchAll(/\[(\d)\]/g)].map(([, n]) => n)
      )
    )
    expect(used).toEqual(sources)
  })
})

describe("docs/frameworks.md", () => {
  const sections = sectionsOf("docs/frameworks.md")

  it("has the versions that are tried", () => {
    const names: Readonly<Record<string, string>> = { "Next.js": "next", React: "react" }
    for (const section of ["Frameworks", "Observability", "Bundlers", "Runtimes and test runners"]) {
      const rows = rowsOf(sections.get(section) ?? "")
      expect(rows.length).toBeGreaterThan(3)
      for (const [what = "", version = ""] of rows) {
        const [first = ""] = what.split(",")
        if (first === "Prometheus") continue
        const name = names[first] ?? first.replaceAll("`", "")
        expect([name, tried(name)]).toEqual([name, expect.arrayContaining([version])])
      }
    }
  })

  it("names a test or a command for each framework", () => {
    for (const section of ["Frameworks", "Observability"]) {
      for (const [what, , , shown = ""] of rowsOf(sections.get(section) ?? "")) {
        expect([what, /npm run test:|\]\(\.\.\/test\//.test(shown)]).toEqual([what, true])
      }
    }
  })
})
