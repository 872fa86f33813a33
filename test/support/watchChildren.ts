/**
 * Reads what the processes print that a test starts, whether or not the test looks at it: the file's tests fail when
 * there is a key or a token in it. What reaches the terminal is read by `scripts/secrets.ts`.
 */
import { ChildProcess } from "node:child_process"
import type { Readable } from "node:stream"
import { afterAll, expect, inject } from "vitest"
import { exactSecrets, linesWithSecrets } from "./secrets.js"

interface OnPurpose {
  /** Of the program's arguments. */
  readonly all: ReadonlyArray<RegExp>
  readonly line: RegExp
}

/** Who prints a key or token because that is what they are asked for, and in which lines. */
const onPurpose: ReadonlyArray<OnPurpose> = [
  // `supabase-pool embedded` prints what to put into the environment of whoever shall use it.
  { all: [/\bbin\.(ts|js)$/, /^embedded$/], line: /^SUPABASE_(ANON|SERVICE_ROLE)_KEY=\S+$/ },
  // `npm start` makes an admin token where none was given, and tells it to whoever started it.
  { all: [/\bmain\.(ts|js)$|^serve$/], line: /^(dashboard {3}http:\/\/[\w.:]+\/#token=\S+|admin token [\w-]{32})$/ },
  // A suite that prints keys, to see that they are found.
  { all: [/^test\/support\/printing\/vitest\.config\.ts$/], line: /never-printed/ }
]

const found: Array<string> = []
const unread: Set<() => void> = new Set()
const exact = exactSecrets(inject("embedded"))

const watch = (stream: Readable | null | undefined, args: ReadonlyArray<string>): void => {
  if (stream === null || stream === undefined) return
  const allowed = onPurpose.filter(({ all }) => all.every((part) => args.some((arg) => part.test(arg))))
  const push = stream.push.bind(stream)
  let text = ""
  const read = (end: number): void => {
    const lines = text.slice(0, end).split("\n")
    text = text.slice(end)
    const others = lines.filter((line) => !allowed.some((one) => one.line.test(line)))
    found.push(...linesWithSecrets(others.join("\n"), exact))
  }
  const readAll = (): void => read(text.length)
  unread.add(readAll)
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null) readAll()
    else {
      text += String(chunk)
      read(text.lastIndexOf("\n") + 1)
    }
    return push(chunk, encoding)
  }
}

/** `spawn`, `execFile` and `fork` all come by here. */
const spawn: unknown = Reflect.get(ChildProcess.prototype, "spawn")

Reflect.set(ChildProcess.prototype, "spawn", function (this: ChildProcess, options: { args?: ReadonlyArray<string> }) {
  const result: unknown = typeof spawn === "function" ? Reflect.apply(spawn, this, [options]) : undefined
  for (const stream of [this.stdout, this.stderr]) watch(stream, options.args ?? [])
  return result
})

afterAll(() => {
  for (const read of unread) read()
  expect(found, "a process that these tests started printed a key or a token").toEqual([])
})
