/** docs/postgrest.md: its table of endings is what is decided, row by row, and each other line names the test that shows it. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { saidOf } from "../../src/internal/connection/errorBody.js"
import { type Ending, endingOf } from "../../src/internal/errors/errorCodes.js"
import { rowsOf } from "../support/pageTables.js"
import { lostAtCommit, page, postgrestError, type Scripted } from "../support/postgrest.js"

const text = readFileSync(new URL("../../docs/postgrest.md", import.meta.url), "utf8")

const sectionOf = (name: string): string => text.split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? ""

const verdicts: Readonly<Record<string, Ending>> = {
  "may be repeated": { isTransient: true, mayHaveExecuted: false },
  unknown: { isTransient: true, mayHaveExecuted: true },
  final: { isTransient: false, mayHaveExecuted: false }
}

const verdictOf = (cell: string): Ending | undefined =>
  Object.entries(verdicts).find(([words]) => cell.startsWith(words))?.[1]

const errors = (status: number, ...codes: ReadonlyArray<string>): ReadonlyArray<Scripted> =>
  codes.map((code) => postgrestError(status, code, "words"))

const pages = (...statuses: ReadonlyArray<number>): ReadonlyArray<Scripted> => statuses.map(page)

const token = (words: string): Scripted => postgrestError(401, "PGRST303", words)

/** What gateways say that gave up on an answer. */
const gaveUp = [502, 503, 504, 520, 521, 522, 523, 524, 527, 544]

/** Each first cell of the page, and all that it stands for. */
const cells: Readonly<Record<string, ReadonlyArray<Scripted>>> = {
  "400 with an empty `code`": [lostAtCommit],
  "503 with 57P01, 57P02": errors(503, "57P01", "57P02"),
  "503 with PGRST000, 001, 002; 504 with PGRST003": [
    ...errors(503, "PGRST000", "PGRST001", "PGRST002"),
    ...errors(504, "PGRST003")
  ],
  "53300, 57P03, 08001, 08004": errors(503, "53300", "57P03", "08001", "08004"),
  "08xxx, 40003": errors(503, "08000", "08003", "08006", "08007", "08P01", "40003"),
  "500 with 40001, 40P01": errors(500, "40001", "40P01"),
  "405 with 25006 to a write": errors(405, "25006"),
  '401 with PGRST303, "JWT issued at future" or "JWT not yet valid"': [
    token("JWT issued at future"),
    token("JWT not yet valid")
  ],
  '401 with PGRST303, "JWT expired"': [token("JWT expired")],
  "500 with 57014": errors(500, "57014"),
  "any other code of PostgreSQL's, PostgREST's, or raised in SQL, whatever the status": [
    ...errors(400, "PGRST102", "P0001", "22P05", "mine"),
    ...errors(409, "23505"),
    ...errors(402, "PT402"),
    ...errors(500, "PGRST121", "XX000", "mine"),
    ...errors(503, "mine"),
    ...errors(405, "PGRST105")
  ],
  "408, 425, 429, 525, 526, 530": pages(408, 425, 429, 525, 526, 530),
  "502, 503, 504, 520 to 524, 527, 544, of a gateway": pages(...gaveUp),
  "540": pages(540),
  "301, 302, 303, 307, 308": [301, 302, 303, 307, 308].map((status) => ({ status, headers: { location: "/a" } })),
  "300 with PGRST201, PGRST203": errors(300, "PGRST201", "PGRST203")
}

describe("docs/postgrest.md", () => {
  const rows = rowsOf(sectionOf("How an operation ended"))

  it("has a row for all that is listed here, and no other", () => {
    expect(rows.map(([what]) => what).sort()).toEqual(Object.keys(cells).sort())
  })

  it.each(rows.map(([what = "", , so = ""]) => [what, so] as const))("says of %s how it ended: %s", (what, so) => {
    const verdict = verdictOf(so)
    expect(verdict).toBeDefined()
    for (const { body = "", headers = {}, status } of cells[what] ?? []) {
      const header = (name: string): string | null => headers[name] ?? null
      const said = saidOf({ method: "POST", url: "http://db/rest/v1/notes", status, header, body })
      expect(endingOf({ status, method: "POST", ...said }), `${status} ${said.code}`).toEqual(verdict)
      const read = endingOf({ status, method: "GET", ...said })
      expect(read.mayHaveExecuted, `${status} ${said.code}`).toBe(false)
    }
  })

  it("names for each of its other lines a test that there is", () => {
    const shown = rowsOf(sectionOf("Where each line is shown"))
    const claims = ["Answers", "Max rows", "Connections", "How an operation ended"]
    expect(new Set(shown.map(([section]) => section))).toEqual(new Set(claims))
    for (const [, line = "", tests = ""] of shown) {
      const links = [...tests.matchAll(/\[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)/g)]
      expect(links.length, line).toBeGreaterThan(0)
      for (const [, name = "", file = ""] of links) {
        expect(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"), `${line}: ${file}`).toContain(name)
      }
    }
  })
})
