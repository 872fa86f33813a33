/**
 * A folder outside of the checkout with what a folder of `test/` names (bundlers, runtimes) and this package as it would be
 * published, without any of its optional peers but React.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { type Outcome, run } from "./report.js"

type Versions = Readonly<Record<string, string>>

interface Manifest {
  readonly dependencies: Versions
  readonly devDependencies: Versions
  readonly peerDependencies: Versions
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
}

const manifestIn = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(resolve(folder, "package.json"), "utf8"))

const npm = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]

const succeeded = (what: string, { code, output }: Outcome): string => {
  if (code !== 0) throw new Error(`${what} ended with ${code}:\n${output}`)
  return output
}

/** What a project that installs this package has of it, in the versions that it is tested with. */
const needs = ({ dependencies, devDependencies, peerDependencies, peerDependenciesMeta }: Manifest): Versions => {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true)
  return { ...dependencies, ...Object.fromEntries(peers.map((name) => [name, devDependencies[name] ?? ""])) }
}

/** The newest of what bundles; of what this package needs, the version that it names. */
const newest = async (folder: string, ours: Versions): Promise<void> => {
  const { dependencies, devDependencies } = await manifestIn(folder)
  const latest = (versions: Versions) =>
    Object.fromEntries(Object.entries(versions).map(([name, pinned]) => [name, name in ours ? pinned : "latest"]))
  const pinned = ["typescript", "@types/node"]
  const tools = { ...latest(devDependencies) }
  for (const name of pinned) tools[name] = devDependencies[name] ?? ""
  await rm(join(folder, "package-lock.json"))
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies: latest(dependencies), devDependencies: tools })
  )
}

export interface Work {
  /** Where the bundlers are. */
  readonly folder: string
  /** Where bundles go: nothing is installed there or above it. */
  readonly bundles: string
  readonly versionOf: (name: string) => Promise<string>
  readonly remove: () => Promise<void>
}

/** Build the package first (`npm run build`). */
export const make = async (source: string, takeNewest: boolean): Promise<Work> => {
  const top = await mkdtemp(join(tmpdir(), `supabase-pool-${basename(source)}-`))
  const folder = join(top, "work")
  const bundles = join(top, "bundles")
  await cp(source, folder, { recursive: true })
  await mkdir(bundles)
  const ours = needs(await manifestIn("."))
  const pinned = await manifestIn(folder)
  for (const [name, version] of Object.entries(ours)) {
    const there = pinned.dependencies[name]
    if (there === version) continue
    throw new Error(
      `${source}/package.json has ${name} ${there ?? "not at all"}, and this package is tested with ${version}. ` +
        `Change it there and run \`npm install --package-lock-only\` in ${source}.`
    )
  }
  if (takeNewest) await newest(folder, ours)
  // Not `npm ci`, which takes an optional package that is not published for a lock that is not in sync.
  succeeded("npm", await run("npm", ["install", ...npm], folder))
  const packed = await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", top], process.cwd())
  const tarball = succeeded("npm pack", packed).trim().split("\n").at(-1) ?? ""
  const target = join(folder, "node_modules/effect-supabase-pool")
  await mkdir(target, { recursive: true })
  succeeded("tar", await run("tar", ["-xzf", join(top, tarball), "-C", target, "--strip-components=1"], top))
  return {
    folder,
    bundles,
    versionOf: async (name) =>
      JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8")).version,
    remove: () => rm(top, { recursive: true, force: true })
  }
}
