/** docs/troubleshooting.md is found by the words that an error prints. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Errors from "../../src/Errors.js"
import { root } from "../support/program.js"

const read = (path: string): string => readFileSync(`${root}${path}`, "utf8")

const page = read("docs/troubleshooting.md")

/** Every class of error that is public, with its source. */
const classes = ["src/Errors.ts", "src/internal/errors/transactionErrors.ts"].flatMap((path) =>
  read(path)
    .split("\nexport class ")
    .slice(1)
    .map((source): readonly [string, string] => [
      /^\w+/.exec(source)?.[0] ?? "",
      source.split("\nexport class ")[0] ?? ""
    ])
)

/** What its messages begin with, as somebody would search for it. */
const beginningsOf = (source: string): ReadonlyArray<string> => {
  const [, getter = ""] = source.split("get message(): string {")
  const said = [...(getter.split("\n  }")[0] ?? "").matchAll(/["`]([A-Z][a-z]+(?:[ -][a-z]+)*?)(?: at step \$|[:$])/g)]
  return said.map(([, words = ""]) => words)
}

describe("docs/troubleshooting.md", () => {
  it("has an entry for each class of error, by its name and by the words that its messages begin with", () => {
    const names = new Set(classes.map(([name]) => name))
    for (const member of ["AcquireTimeout", "QueryError", "GuardFailed", "PoolClosed"]) expect(names).toContain(member)
    expect(classes.length).toBeGreaterThan(11)
    for (const [name, source] of classes) {
      const words = beginningsOf(source)
      expect([name, words.filter((one) => !page.includes(one))]).toEqual([name, []])
      expect([name, page.includes(`\`${name}\``)]).toEqual([name, true])
    }
    expect(classes.flatMap(([, source]) => beginningsOf(source)).length).toBeGreaterThan(9)
  })

  it("has what a row or a filter is told that its schema does not know", () => {
    const said = [...read("src/Errors.ts").matchAll(/\bwhat: "([^"]+)"/g)].map(([, words = ""]) => words)
    expect(said.length).toBeGreaterThan(2)
    for (const words of said) expect(page).toContain(words)
  })

  it("has each stage at which a connection fails", () => {
    for (const stage of Errors.ConnectionFailure.literals) expect(page).toContain(`\`${stage}\``)
  })
})
