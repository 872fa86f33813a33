/** A subject's process: imports what its arguments name, says that it is ready, then answers each line with one. */
import { Console } from "node:console"
import { createInterface } from "node:readline"
import type { Asked, Make } from "./subject.js"

// What a subject logs would be read as its answer.
globalThis.console = new Console(process.stderr)

const [file = "", made = "", ...args] = process.argv.slice(2)

const module: Record<string, Make> = await import(`../subjects/${file}.js`)
const make = module[made]
if (make === undefined) throw new Error(`bench/subjects/${file} has no ${made}`)
const subject = await make(...args)

process.stdout.write("ready\n")

for await (const line of createInterface({ input: process.stdin })) {
  const asked: Asked = JSON.parse(line)
  process.stdout.write(`${JSON.stringify(await subject(asked))}\n`)
}
process.exit(0)
