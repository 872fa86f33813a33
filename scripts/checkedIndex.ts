/**
 * What Node is given for `import "effect-supabase-pool"`: it looks at the installed Effect first. ES modules are linked before
 * any of them runs, so that only an import that waits can come behind a look. Bundlers, and `require`, get the index itself:
 * of an import that waits they could leave nothing out.
 */
import { readFile, writeFile } from "node:fs/promises"

export const writeCheckedIndex = async (): Promise<void> => {
  const index = await readFile("dist/index.js", "utf8")
  const names = [...index.matchAll(/export \* as (\w+) from/g)].map(([, name]) => name)
  if (names.length === 0) throw new Error("dist/index.js exports nothing that is known here")
  await writeFile(
    "dist/checked.js",
    [
      'import { checkEffect } from "./internal/shared/effectVersion.js"',
      "checkEffect(import.meta.url)",
      `export const { ${names.join(", ")} } = await import("./index.js")`,
      ""
    ].join("\n")
  )
}
