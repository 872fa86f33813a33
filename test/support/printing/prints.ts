/** Tests that print a key in each way there is, and one that does not. */
import { execFile, spawnSync } from "node:child_process"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { secret } from "../secrets.js"

/** Programs that print a line, `args` after them. */
const printing = (line: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "-e",
  `console.log(${JSON.stringify(line)})`,
  ...args
]

it("quiet", async () => {
  const line = `SUPABASE_ANON_KEY=${secret("asked-for")}`
  const { stdout } = await promisify(execFile)(process.execPath, printing(line, "bin.ts", "embedded"))
  expect(stdout).toContain(line)
  console.log("nothing to see")
})

it("console", () => console.log(`by console: ${secret("a")}`))

it("stderr", () => void process.stderr.write(`by stderr: ${secret("b")}\n`))

it("inherited", () => {
  spawnSync(process.execPath, printing(`by a child: ${secret("c")}`), { stdio: "inherit" })
})

it("difference", () => expect({ difference: secret("d") }).toBe(1))

it("captured", async () => {
  await promisify(execFile)(process.execPath, printing(`to a test: ${secret("e")}`))
})

it("beside what was asked for", async () => {
  await promisify(execFile)(process.execPath, printing(`KEY=${secret("f")}`, "bin.ts", "embedded"))
})
