/** Through the index of a package of Effect's a bundler keeps the whole of each namespace; by its module, only what is used. */

/** Of Effect's index, what is no namespace. */
const functions = new Set(["absurd", "flow", "hole", "identity", "pipe", "unsafeCoerce"])

/** What is imported instead of a namespace, where something is. */
export type Substitute = (namespace: string, as: string) => string | undefined

const named = /import (?!type\b)\{([^}]*)\} from "(effect|@effect\/(?:cli|platform|platform-node))"/g
const whole = /import \* as (\w+) from "effect\/(\w+)"/g

const importOf = (name: string, from: string, substitute: Substitute): string => {
  const [module = "", as = module] = name.split(" as ")
  if (from === "effect" && functions.has(module)) return `import { ${module} as ${as} } from "effect/Function"`
  return substitute(module, as) ?? `import * as ${as} from "${from}/${module}"`
}

export const byModule = (source: string, substitute: Substitute = () => undefined): string =>
  source
    .replace(whole, (line, as: string, module: string) => substitute(module, as) ?? line)
    .replace(named, (_, list: string, from: string) => {
      const names = list
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
      // So that lines stay where they are.
      return names.map((name) => importOf(name, from, substitute)).join(";") + "\n".repeat(list.split("\n").length - 1)
    })
