/** `npm run …` on a machine without a POSIX shell: npm gives a script's line to cmd.exe there. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../support/program.js"

/** What means something else to cmd.exe, or nothing, with an example. Of `&&` and double quotes both shells think the same. */
const rules: ReadonlyArray<readonly [what: string, pattern: RegExp, example: string]> = [
  [
    "a command of the shell's",
    /(?:^|&& *)(?:exec|export|set|source|\.|eval|trap|test|\[|true|false|:)(?= |$)/,
    "exec node a.js"
  ],
  [
    "a program that Windows lacks",
    /(?:^|&& *)(?:rm|cp|mv|mkdir|touch|cat|ls|grep|sed|awk|find|chmod|env|kill|sleep|sh|bash|which|xargs|tar)(?= |$)/,
    "tsc && rm -rf dist"
  ],
  ["a program by its path", /(?:^|&& *)[^\s"]*\//, "./scripts/build.sh"],
  ["a variable before a command", /(?:^|&& *)[A-Za-z_]\w*=/, "NODE_ENV=test vitest run"],
  ["a variable's value", /\$[A-Za-z_{(@*#?!0-9]|%\w+%/, "node a.js --in $HOME"],
  ["single quotes that hold a word together", /^(?:[^"]|"[^"]*")*'/, "vitest run 'a b'"],
  ["a command in a command", /`|\$\(/, "node a.js `pwd`"],
  ["a pipe, a list, a background or a choice", /^(?:[^"]|"[^"]*")*(?:\||;|(?<!&)&(?!&))/, "node a.js | node b.js"],
  ["another place for what is printed", /^(?:[^"]|"[^"]*")*[<>]/, "node a.js > out.txt"],
  ["a pattern of files", /^(?:[^"]|"[^"]*")*(?:\*|\?|\{\S+,\S+\}|~\/)/, "biome check src/*.ts"],
  ["a group", /^(?:[^"]|"[^"]*")*[()]/, "(tsc)"],
  ["a character that is not itself", /\\|\^/, "node a\\ b.js"]
]

const brokenBy = (line: string): ReadonlyArray<string> =>
  rules.filter(([, pattern]) => pattern.test(line)).map(([what]) => what)

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>
}

const manifests = readdirSync(join(root, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join("examples", name, "package.json"))
  .filter((file) => existsSync(join(root, file)))

const lines = ["package.json", ...manifests].flatMap((file) => {
  const { scripts = {} }: Manifest = JSON.parse(readFileSync(join(root, file), "utf8"))
  return Object.entries(scripts).map(([name, line]) => [`${file}: ${name}`, line] as const)
})

describe("a line of npm's scripts", () => {
  it.each(rules)("that has %s is refused", (what, _, example) => {
    expect(brokenBy(example)).toContain(what)
  })

  it.each([
    "node -e \"fs.rmSync('dist', { recursive: true, force: true })\" && tsc -p tsconfig.json",
    "node --import tsx --import ./scripts/a.ts src/main.ts",
    "npm run build && tsx scripts/a.ts --only importing"
  ])("is taken as it is: %s", (line) => {
    expect(brokenBy(line)).toEqual([])
  })

  it("is there, more than twenty times", () => {
    expect(lines.length).toBeGreaterThan(20)
  })

  it.each(lines)("%s needs no POSIX shell", (_, line) => {
    expect(brokenBy(line)).toEqual([])
  })
})
