/** What the repository was at an earlier commit, beside this checkout, for what compares the two. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"

/** Its whole name. */
export const commitOf = (name: string, refuse: (reason: string) => never): string => {
  try {
    const options = ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]
    return execFileSync("git", options, { encoding: "utf8" }).trim()
  } catch {
    return refuse(`git knows no commit ${name}.`)
  }
}

/** Its files (all, or those below `paths`) in a folder that is made anew, with the packages of this checkout. */
export const unpacked = (commit: string, folder: string, paths: ReadonlyArray<string> = []): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const archive = execFileSync("git", ["archive", commit, ...paths], { maxBuffer: 2 ** 30 })
  execFileSync("tar", ["-x", "-C", folder], { input: archive })
  for (const made of ["node_modules", "vendor"]) {
    if (!existsSync(join(folder, made))) symlinkSync(resolve(made), join(folder, made))
  }
}
