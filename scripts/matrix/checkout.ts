/** A copy of this checkout with another supabase-js, so that neither package.json nor node_modules here changes. */
import { cp, mkdtemp, readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execute, quietly } from "./node.js"

export interface Checkout {
  readonly path: string
  readonly supabaseJs: string
}

const supabaseJsIn = async (path: string): Promise<string> =>
  JSON.parse(await readFile(join(path, "node_modules/@supabase/supabase-js/package.json"), "utf8")).version

export const here = async (): Promise<Checkout> => ({
  path: process.cwd(),
  supabaseJs: await supabaseJsIn(process.cwd())
})

/** Nobody else removes it. */
export const copied = async (supabaseJs: string): Promise<Checkout> => {
  const from = process.cwd()
  const path = await mkdtemp(join(tmpdir(), "supabase-pool-matrix-"))
  const { stdout } = await execute("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
  for (const file of stdout.split("\0").filter((name) => name !== "")) {
    // Listed, but perhaps removed and not yet committed.
    await cp(join(from, file), join(path, file), { recursive: true, preserveTimestamps: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error
      }
    )
  }
  await cp(join(from, "node_modules"), join(path, "node_modules"), { recursive: true, verbatimSymlinks: true })
  await execute("npm", ["install", ...quietly, `@supabase/supabase-js@${supabaseJs}`], { cwd: path })
  return { path, supabaseJs: await supabaseJsIn(path) }
}
