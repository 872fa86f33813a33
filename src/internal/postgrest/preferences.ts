import { refuse } from "./refusal.js"

/** What `Prefer` asks for. */
export interface Preferences {
  readonly returned: "representation" | "headers-only" | "minimal" | undefined
  readonly count: "exact" | "planned" | "estimated" | undefined
  readonly resolution: "merge-duplicates" | "ignore-duplicates" | undefined
  readonly missing: "default" | "null" | undefined
  readonly maxAffected: number | undefined
  readonly timezone: string | undefined
  readonly strict: boolean
  /** What of them was heeded. */
  readonly applied: string
}

const known: Readonly<Record<string, ReadonlyArray<string>>> = {
  return: ["representation", "headers-only", "minimal"],
  count: ["exact", "planned", "estimated"],
  resolution: ["merge-duplicates", "ignore-duplicates"],
  missing: ["default", "null"],
  handling: ["strict", "lenient"],
  tx: ["commit", "rollback"]
}

const isValid = (name: string, value: string): boolean => {
  if (name === "max-affected") return /^\d+$/.test(value)
  return name === "timezone" ? value !== "" : Object.hasOwn(known, name) && known[name]?.includes(value) === true
}

const oneOf = <A extends string>(value: string | undefined, ...all: ReadonlyArray<A>): A | undefined =>
  all.find((one) => one === value)

export const preferencesOf = (headers: Headers): Preferences => {
  const written = (headers.get("prefer") ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")
  const given = new Map<string, string>()
  const invalid: Array<string> = []
  for (const word of written) {
    const [name = "", value = ""] = word.split(/=(.*)/s)
    if (!isValid(name, value)) invalid.push(word)
    else if (!given.has(name)) given.set(name, value)
  }
  const strict = given.get("handling") === "strict"
  if (strict && invalid.length > 0) {
    refuse(
      400,
      "PGRST122",
      "Invalid preferences given with handling=strict",
      `Invalid preferences: ${invalid.join(", ")}`
    )
  }
  // A hosted project lets nobody roll back by a header, and only a strict request has a bound.
  const heeded = ([name]: readonly [string, string]) => name !== "tx" && (name !== "max-affected" || strict)
  return {
    returned: oneOf(given.get("return"), "representation", "headers-only", "minimal"),
    count: oneOf(given.get("count"), "exact", "planned", "estimated"),
    resolution: oneOf(given.get("resolution"), "merge-duplicates", "ignore-duplicates"),
    missing: oneOf(given.get("missing"), "default", "null"),
    maxAffected: strict && given.has("max-affected") ? Number(given.get("max-affected")) : undefined,
    timezone: given.get("timezone"),
    strict,
    applied: [...given]
      .filter(heeded)
      .map(([name, value]) => `${name}=${value}`)
      .join(", ")
  }
}
