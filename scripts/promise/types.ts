/** The types of the Promise entry as one file that imports nothing but supabase-js. */
import { resolve } from "node:path"
import { rollup } from "rollup"
import { dts } from "rollup-plugin-dts"

const root = resolve(import.meta.dirname, "../..")

/**
 * The plugin turns a type of a namespace (`export * as Transaction`) into an alias and copies its parameters, variance included,
 * which an alias of a reference cannot have (TS2637).
 */
const withoutVariance = {
  name: "without-variance",
  renderChunk: (code: string): string =>
    code.replace(/^type \w+<[^>]*> = \w+<.*>;$/gm, (alias) => alias.replace(/([<,] ?)(?:in out|in|out) (?=\w)/g, "$1"))
}

export const bundleTypes = async (file: string): Promise<void> => {
  const made = await rollup({
    input: resolve(root, "src/promise.ts"),
    // What is internal is stripped, and nothing of what is exported leads there.
    shimMissingExports: true,
    onLog: () => {},
    external: [/^(effect|@effect|@supabase|node:)/, "#undici"],
    plugins: [
      dts({
        tsconfig: resolve(root, "tsconfig.build.json"),
        compilerOptions: { stripInternal: true, declarationMap: false }
      }),
      withoutVariance
    ]
  })
  const { output } = await made.generate({ format: "es" })
  const [{ imports }] = output
  await made.write({ file })
  const strangers = imports.filter((name) => name !== "@supabase/supabase-js")
  if (strangers.length > 0) {
    throw new Error(`${file} imports ${strangers.join(", ")}: give what is exported there types of its own`)
  }
}
