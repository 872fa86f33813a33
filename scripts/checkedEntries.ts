/**
 * What Node is given for `import "effect-supabase-pool"` and for `import "effect-supabase-pool/Db"`: it looks at the installed
 * Effect first. ES modules are linked before any of them runs, so that only an import that waits can come behind a look.
 * Bundlers, and `require`, get the module itself: of an import that waits they could leave nothing out.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { relative, resolve } from "node:path"
import { pathToFileURL } from "node:url"

type Target = string | Readonly<Record<string, unknown>>

interface Manifest {
  readonly exports: Readonly<Record<string, Target>>
}

const folder = "dist/checked/"

/** `dist/checked/Db.js` of the entry that has it. */
const checkedOf = (target: Target): string | undefined => {
  const given = typeof target === "string" ? undefined : target["default"]
  const path: unknown = typeof given === "object" && given !== null ? Reflect.get(given, "default") : undefined
  return typeof path === "string" && path.startsWith(`./${folder}`) ? path.slice(2) : undefined
}

/** All that a module exports and that is more than a type; `Connection` has none. */
const valuesOf = async (module: string): Promise<ReadonlyArray<string>> => {
  const loaded: unknown = await import(pathToFileURL(resolve(module)).href)
  const names = typeof loaded === "object" && loaded !== null ? Object.keys(loaded) : []
  if (names.includes("default")) throw new Error(`${module} has a default export, which is not known here`)
  return names
}

const from = (path: string): string => JSON.stringify(relative(folder, path).replaceAll("\\", "/"))

export const writeCheckedEntries = async (): Promise<void> => {
  const { exports }: Manifest = JSON.parse(await readFile("package.json", "utf8"))
  const entries = Object.values(exports).flatMap((target) => checkedOf(target) ?? [])
  if (entries.length === 0) throw new Error("package.json has no entry that looks at Effect first")
  await mkdir(folder, { recursive: true })
  for (const entry of entries) {
    const module = entry.replace(folder, "dist/")
    const names = await valuesOf(module)
    await writeFile(
      entry,
      [
        `import { checkEffect } from ${from("dist/internal/shared/effectVersion.js")}`,
        "checkEffect(import.meta.url)",
        `export const { ${names.join(", ")} } = await import(${from(module)})`,
        ""
      ].join("\n")
    )
  }
}
