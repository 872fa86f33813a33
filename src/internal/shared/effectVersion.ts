/**
 * `import "effect-supabase-pool"`, or of one of its modules, checks which Effect is installed before it loads a module that needs
 * it: with another version, Node would only report a missing export in some Effect module.
 */
import { createRequire } from "node:module"

const needed = { effect: "3.22.4", "@effect/platform": "0.97.2" }

const remedy =
  "Install what it needs (npm install effect@3 @effect/platform@0.97 @effect/platform-node@0.108), " +
  'or import "effect-supabase-pool/promise", which needs no Effect.'

const numbers = (version: string): ReadonlyArray<number> => version.split(/[.-]/, 3).map(Number)

/** A caret range: the first non-zero number and everything before it stay, the rest may grow. */
export const fits = (installed: string, wanted: string): boolean => {
  const [major = 0, minor = 0, patch = 0] = numbers(installed)
  const [wantedMajor = 0, wantedMinor = 0, wantedPatch = 0] = numbers(wanted)
  if (major !== wantedMajor) return false
  if (minor !== wantedMinor) return wantedMajor > 0 && minor > wantedMinor
  return patch >= wantedPatch
}

/** Undefined if it is not installed. */
export type VersionOf = (name: string) => string | undefined

const installed =
  (url: string): VersionOf =>
  (name) => {
    try {
      const manifest: unknown = createRequire(url)(`${name}/package.json`)
      const version = typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined
      return typeof version === "string" ? version : undefined
    } catch {
      return undefined
    }
  }

/** The problem in one sentence. */
export const flawOf = (versionOf: VersionOf): string | undefined => {
  for (const [name, wanted] of Object.entries(needed)) {
    const version = versionOf(name)
    if (version !== undefined && fits(version, wanted)) continue
    const found = version === undefined ? `${name} is not installed` : `${name} ${version} is installed`
    return `effect-supabase-pool: ${found}, and this entry needs ${name} ^${wanted}. ${remedy}`
  }
  return undefined
}

export const checkEffect = (url: string): void => {
  const flaw = flawOf(installed(url))
  if (flaw !== undefined) throw new Error(flaw)
}
