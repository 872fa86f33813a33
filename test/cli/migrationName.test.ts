/** Which file of a project is ours, and what a new one is named: what `supabase db push` takes, and `migration fetch` gives. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { migrationsDirectory } from "../../src/embedded.js"
import { type Known, nameFor, placeOf } from "../../src/internal/cli/migrationName.js"
import { migrationFile } from "../../src/internal/transaction/run.js"

const names = (await readdir(migrationsDirectory)).filter((name) => name.endsWith("_supabase_pool.sql")).toSorted()

const files = await Promise.all(
  names.map(async (name) => ({ name, text: await readFile(join(migrationsDirectory, name), "utf8") }))
)

const known: Known = { current: migrationFile, files }
const [text = ""] = files.flatMap((file) => (file.name === migrationFile ? [file.text] : []))
const earlier = files.filter(({ name }) => name !== migrationFile)

/** As `supabase migration fetch` writes it: the statements of the history, each followed by a blank line. */
const fetched = (sql: string): string => `${sql.trim().replaceAll("\n\n", "\n").replaceAll(";\n", ";\n\n")}\n`

describe("the migration in a project", () => {
  it("is missing where there is none, or only versions before, under whatever name", () => {
    assert.deepStrictEqual(placeOf(known, []), { _tag: "Missing", earlier: [] })
    assert.isAbove(earlier.length, 2)
    const renamed = earlier.map((file, n) => ({ ...file, name: `2027010100000${n}_supabase_pool.sql` }))
    assert.deepStrictEqual(placeOf(known, renamed), { _tag: "Missing", earlier: renamed.map(({ name }) => name) })
  })

  it("is known under any name, with other blank lines and line ends, as of a migration that was fetched", () => {
    const name = "20270101000000_supabase_pool.sql"
    for (const same of [text, fetched(text), text.replaceAll("\n", "\r\n"), `${text}\n\n`]) {
      assert.deepStrictEqual(placeOf(known, [...earlier, { name, text: same }]), { _tag: "Same", name })
    }
    for (const file of earlier) {
      assert.strictEqual(placeOf(known, [{ name, text: fetched(file.text) }])._tag, "Missing")
    }
  })

  it("differs where somebody changed it, and a version before stays one when it was changed", () => {
    const name = "20270101000000_supabase_pool.sql"
    const changed = {
      name,
      text: text.replace("return 4", "return 4 ").replace("create schema", "-- ours\ncreate schema")
    }
    assert.deepStrictEqual(placeOf(known, [changed]), { _tag: "Differs", name })
    for (const file of earlier) {
      assert.strictEqual(placeOf(known, [{ name, text: `-- ours\n${file.text}` }])._tag, "Missing")
      assert.strictEqual(placeOf(known, [{ name: file.name, text: "-- gone" }])._tag, "Missing")
    }
  })
})

describe("the name of a new one", () => {
  const now = Date.UTC(2026, 10, 29, 16, 5, 7)

  it("is the time of now in UTC", () => {
    assert.strictEqual(nameFor(now, []), "20261129160507_supabase_pool.sql")
    assert.strictEqual(nameFor(now, ["20260101000000_first.sql", "README.md"]), "20261129160507_supabase_pool.sql")
  })

  it("comes a second after the last one where that one is dated later, over the end of a year too", () => {
    assert.strictEqual(nameFor(now, ["20261231235959_x.sql"]), "20270101000000_supabase_pool.sql")
    assert.strictEqual(nameFor(now, ["20261129160507_x.sql"]), "20261129160508_supabase_pool.sql")
  })

  it("is always after every other, which is what `supabase db push` asks", () => {
    const time = fc.date({ min: new Date(Date.UTC(2000, 0)), max: new Date(Date.UTC(2100, 0)), noInvalidDate: true })
    fc.assert(
      fc.property(time, fc.array(time, { maxLength: 40, size: "max" }), (at, others) => {
        const there = others.map((other) => `${other.toISOString().replace(/\D/g, "").slice(0, 14)}_x.sql`)
        const name = nameFor(at.getTime(), there)
        assert.match(name, /^\d{14}_supabase_pool[.]sql$/)
        for (const other of there) assert.isTrue(other.slice(0, 14) < name.slice(0, 14))
      })
    )
  })
})
