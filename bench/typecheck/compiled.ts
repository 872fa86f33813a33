/** What the compiler says of the generated application over a library. */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { application } from "./application.js"
import type { Library } from "./libraries.js"

export const operations = 200

/** Writes it over a package of ours that lies in a folder, so that all find the same of everything else. */
export const written = (library: Library, ours: string, folder: string): string => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, "src"), { recursive: true })
  mkdirSync(join(folder, "node_modules", "@supabase"), { recursive: true })
  for (const each of ["effect", "@supabase/supabase-js", "@types"]) {
    symlinkSync(resolve("node_modules", each), join(folder, "node_modules", each))
  }
  symlinkSync(ours, join(folder, "node_modules", "effect-supabase-pool"))
  for (const [file, text] of application(library, operations)) writeFileSync(join(folder, file), text)
  return folder
}

/** Runs the compiler in a process that tells its own CPU at its end. */
const told = `process.on("exit", () => process.stdout.write("CPU: " + JSON.stringify(process.cpuUsage())))
process.argv.splice(1, 0, "tsc")
require(${JSON.stringify(resolve("node_modules/typescript/lib/tsc.js"))})`

export interface Compiled {
  /** Seconds. */
  readonly cpu: number
  /** How many types were instantiated: the same in each run. */
  readonly instantiations: number
}

/** Throws where the application does not compile. */
export const compiled = (folder: string): Compiled => {
  const said = execFileSync("node", ["-e", told, "--", "-p", folder, "--extendedDiagnostics"], { encoding: "utf8" })
  const [, user = "", system = ""] = /CPU: \{"user":(\d+),"system":(\d+)\}/.exec(said) ?? []
  return {
    cpu: (Number(user) + Number(system)) / 1e6,
    instantiations: Number(/^Instantiations:\s+(\d+)/m.exec(said)?.[1])
  }
}
