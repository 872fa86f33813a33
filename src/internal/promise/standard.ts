/** Standard Schema (standardschema.dev), version 1: what Zod, Valibot, ArkType and Effect's `Schema.standardSchemaV1` give. */
import { Effect, Fiber } from "effect"
import { caller, outside } from "../shared/asyncContext.js"
import { withoutSecrets } from "../shared/text.js"
import type { Wrong } from "../table/shape.js"

/** What a schema says of a value. */
type Verdict<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<Issue> }

interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/**
 * A schema of whatever library, as the Standard Schema says it: `Input` is what the database gives, `Output` what you get.
 *
 * @since 0.1.0
 * @category models
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Verdict<Output> | Promise<Verdict<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

const isObject = (u: unknown): u is object => (typeof u === "object" && u !== null) || typeof u === "function"

const kindOf = (u: unknown): string =>
  u === null ? "null" : Array.isArray(u) ? "an array" : `a value of type ${typeof u}`

/** Throws where it is none, by the name of what it was given for. */
export const standardOf = (schema: unknown, what: string): StandardSchema => {
  if (isStandard(schema)) return schema
  const isEffects = isObject(schema) && "ast" in schema
  throw new TypeError(
    `${what}: schema is no Standard Schema of version 1, but ${kindOf(schema)}${isEffects ? " (a schema of Effect's)" : ""}. ` +
      (isEffects
        ? "Give Schema.standardSchemaV1(schema)."
        : "Give one of Zod (3.24 or newer), Valibot (1 or newer), ArkType, or Effect's Schema.standardSchemaV1(schema).")
  )
}

const isStandard = (u: unknown): u is StandardSchema => {
  if (!isObject(u) || !("~standard" in u)) return false
  const standard = u["~standard"]
  return isObject(standard) && "version" in standard && standard.version === 1 && hasValidate(standard)
}

const hasValidate = (u: object): boolean => "validate" in u && typeof u.validate === "function"

const keysOf = ({ path = [] }: Issue): ReadonlyArray<PropertyKey> =>
  path.map((segment) => (typeof segment === "object" ? segment.key : segment))

const at = (value: unknown, keys: ReadonlyArray<PropertyKey>): unknown =>
  keys.reduce((within: unknown, key) => (isObject(within) ? Reflect.get(within, key) : undefined), value)

/** More than this of a value is in no message. */
const mostLeaves = 200

/** The texts and numbers in a value, as messages have them. */
const leavesOf = (value: unknown, found: Set<string> = new Set(), depth = 0): Set<string> => {
  if (found.size >= mostLeaves || depth > 8) return found
  if (typeof value === "string" && value !== "") found.add(value).add(JSON.stringify(value).slice(1, -1))
  else if (typeof value === "number" || typeof value === "bigint") found.add(String(value))
  else if (isObject(value)) for (const member of Object.values(value)) leavesOf(member, found, depth + 1)
  return found
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")

/** Valibot and Effect repeat what they were given, and a row's values are in no error's message. */
const withoutLeaves = (message: string, value: unknown): string => {
  const leaves = [...leavesOf(value)].filter((leaf) => message.includes(leaf)).sort((a, b) => b.length - a.length)
  return leaves.reduce(
    (text, leaf) => text.replace(new RegExp(`(?<![\\p{L}\\p{N}_])${escaped(leaf)}(?![\\p{L}\\p{N}_])`, "gu"), "…"),
    message
  )
}

const wrongOf = (issue: Issue | undefined, row: unknown): Wrong => {
  if (issue === undefined) return { path: "", issue: "the schema says no more of it" }
  const keys = keysOf(issue)
  const message = withoutLeaves(String(issue.message), at(row, keys))
  return { path: keys.map(String).join("."), issue: withoutSecrets(message) }
}

type Judged = Effect.Effect<unknown, Wrong>

/** Told at once that a promise may reject, so that no rejection is nobody's while others are waited for. */
const settled = (promise: Promise<Verdict<unknown>>, judge: (verdict: Verdict<unknown>) => Judged): Judged => {
  const judged = promise.then(judge, (thrown): Judged => Effect.die(thrown))
  return Effect.async<unknown, Wrong>((resume) => {
    void judged.then(
      (effect) => outside(() => resume(effect)),
      (thrown) => outside(() => resume(Effect.die(thrown)))
    )
  })
}

/** Begun when it is called, in the async context of whoever asked: a schema is the caller's code. */
export const decoderOf =
  (schema: StandardSchema): ((row: unknown) => Judged) =>
  (row) => {
    const fiber = Fiber.getCurrentFiber()
    const context = fiber._tag === "Some" ? fiber.value.getFiberRef(caller) : undefined
    const judge = (verdict: Verdict<unknown>): Judged =>
      verdict.issues === undefined ? Effect.succeed(verdict.value) : Effect.fail(wrongOf(verdict.issues[0], row))
    const decode = (): Judged => {
      const verdict = schema["~standard"].validate(row)
      return verdict instanceof Promise ? settled(verdict, judge) : judge(verdict)
    }
    return context === undefined ? decode() : context.run(decode)
  }
