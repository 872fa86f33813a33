/** What a test of the suite saw, in a form that two runs can be compared by. */

/** How the suite is run: each `ours` stands beside the `stock` that it has to be like. */
export const ways = ["fetch", "fetch again", "pooledFetch", "createClient", "createPooledClient"] as const

export type Way = (typeof ways)[number]

/** What the suite's files are told about the way they are run. */
export interface Told {
  readonly way: Way
  readonly checkout: string
  readonly url: string
  readonly anonKey: string
  readonly serviceRoleKey: string
  /** Where each file of the suite leaves what it saw. */
  readonly folder: string
}

declare module "vitest" {
  interface ProvidedContext {
    readonly peerSuite: Told
  }
}

/** What one test saw. */
export interface Seen {
  /** `GET /rest/v1/users?…`, in the order of sending. */
  readonly requests: ReadonlyArray<string>
  /** Each awaited builder's result, or what it threw, as text. */
  readonly results: ReadonlyArray<string>
}

export interface Outcome extends Seen {
  readonly file: string
  readonly name: string
  /** Whether its own assertions held. */
  readonly passed: boolean
}

export type Run = ReadonlyMap<string, Outcome>

/** Where in the code something was thrown is nobody's answer. */
const withoutStack = (text: string): string => text.replaceAll(/\n +at .*/g, "")

/** Fields that `JSON` leaves out of an error, and `undefined`, are part of what a caller sees. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) => {
    if (field === undefined) return "undefined"
    if (typeof field === "string") return withoutStack(field)
    if (!(field instanceof Error)) return field
    return { ...field, class: field.constructor.name, name: field.name, message: field.message }
  }) ?? "undefined"

const isSame = (one: Outcome, other: Outcome): boolean =>
  one.passed === other.passed &&
  one.results.length === other.results.length &&
  one.results.every((result, at) => result === other.results[at])

export interface Compared {
  readonly same: ReadonlyArray<Outcome>
  readonly differing: ReadonlyArray<{ readonly stock: Outcome; readonly ours: Outcome | undefined }>
}

/** Test by test: what was awaited and how it ended. */
export const compare = (stock: Run, ours: Run): Compared => {
  const all = [...stock].map(([key, one]) => ({ stock: one, ours: ours.get(key) }))
  return {
    same: all.flatMap(({ ours: other, stock: one }) => (other !== undefined && isSame(one, other) ? [one] : [])),
    differing: all.filter(({ ours: other, stock: one }) => other === undefined || !isSame(one, other))
  }
}

export type Difference = Compared["differing"][number]

/** The first result in which two runs of a test differ. */
export const difference = ({ ours, stock }: Difference): readonly [stock: string, ours: string] => {
  if (ours === undefined) return ["was run", "was not run"]
  const count = Math.max(stock.results.length, ours.results.length)
  for (let at = 0; at < count; at += 1) {
    const [one = "no further result", other = "no further result"] = [stock.results[at], ours.results[at]]
    if (one !== other) return [one, other]
  }
  return [stock.passed ? "passed" : "failed", ours.passed ? "passed" : "failed"]
}

/** What is meant to differ, each by what shows it; docs/migrating.md says the same to users. */
const meant: ReadonlyArray<readonly [reason: string, shows: (stock: string, ours: string, test: string) => boolean]> = [
  [
    "another host is refused by name",
    (_, ours) => ours.includes("INVALID_REQUEST") && ours.includes("the request is for ")
  ],
  [
    "a HEAD that fails says so in words",
    (stock, ours) => stock.includes('"message":""') && ours.includes("the answer to HEAD has no words")
  ],
  [
    "createPooledClient sends by the pool and not by the global fetch",
    (_, __, test) => test === "uses native fetch when no custom fetch provided"
  ]
]

/** Why a test is meant to differ; `undefined` where it is a fault. */
export const reasonOf = (differing: Difference): string | undefined => {
  const [stock, ours] = difference(differing)
  return meant.find(([, shows]) => shows(stock, ours, differing.stock.name))?.[0]
}
