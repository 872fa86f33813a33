/** An application of so many operations, as files: what the compiler is given. */
import type { Library } from "./libraries.js"
import { next, schema, tables } from "./schema.js"

const files = 20

const moduleOf = ({ head, kinds }: Library, file: number, operations: number): string => {
  const all = Array.from({ length: operations }, (_, n) => {
    const t = (file + n) % tables
    return `export const operation${n} = ${kinds[n % kinds.length]?.(`t${t}`, `t${next(t)}`) ?? ""}\n`
  })
  return head(`t${file}`) + all.join("")
}

const compilerOptions = {
  target: "ES2022",
  lib: ["ES2023", "DOM"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"]
}

/** With no operations it is what the compiler takes for the imports alone. */
export const application = (library: Library, operations: number): ReadonlyMap<string, string> =>
  new Map([
    ["package.json", '{ "type": "module" }'],
    ["tsconfig.json", JSON.stringify({ compilerOptions, include: ["src"] })],
    ["src/database.ts", schema],
    ...Array.from({ length: files }, (_, n): [string, string] => [
      `src/m${n}.ts`,
      moduleOf(library, n, Math.ceil(operations / files))
    ])
  ])
