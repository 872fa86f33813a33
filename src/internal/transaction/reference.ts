import { randomBytes } from "node:crypto"
import type { Covariant } from "./covariant.js"
import type { Value } from "./step.js"

/**
 * A reference must pass through supabase-js's builders, which know only text and JSON. So it is a text that nobody else
 * can make: it holds a random number that never leaves this process.
 */
interface Secret {
  readonly random: string
  readonly pattern: RegExp
}

const makeSecret = (): Secret => {
  const random = randomBytes(12).toString("hex")
  return { random, pattern: new RegExp(`^supabase_pool_ref_${random}_(-?\\d+)_([0-9a-f]*)$`) }
}

/** Made with the first reference, so that an import loads no cryptography for it; before that no text is one. */
let secret: Secret | undefined

/** `step`: its number, or below 0 what a table's step is known by before it has one. */
export const make = (step: number, column: string): string => {
  secret ??= makeSecret()
  return `supabase_pool_ref_${secret.random}_${step}_${Buffer.from(column, "utf8").toString("hex")}`
}

const RefTypeId: unique symbol = Symbol.for("effect-supabase-pool/Transaction/Ref")

/**
 * What a column of an earlier step's row will hold, wherever a value of its type is expected.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ref<out A> {
  readonly [RefTypeId]: Covariant<A>
}

export class Reference implements Ref<never> {
  readonly [RefTypeId]: Covariant<never> = (never) => never
  readonly #text: string

  constructor(step: number, column: string) {
    this.#text = make(step, column)
  }

  /** As a filter of a builder takes it. */
  toString(): string {
    return this.#text
  }

  /** As a row of a builder takes it. */
  toJSON(): string {
    return this.#text
  }
}

/** The text of a reference, in whichever form it was given; undefined where it is none. */
export const textOf = (value: unknown): string | undefined => {
  if (value instanceof Reference) return value.toString()
  return typeof value === "string" && parse(value) !== undefined ? value : undefined
}

export interface Target {
  readonly step: number
  readonly column: string
}

export const parse = (text: string): Target | undefined => {
  const match = secret?.pattern.exec(text) ?? null
  return match === null
    ? undefined
    : { step: Number(match[1]), column: Buffer.from(match[2] ?? "", "hex").toString("utf8") }
}

/** Whether a reference stands inside a longer text, where it cannot be replaced. */
export const isWithin = (text: string): boolean =>
  secret !== undefined && text.includes(secret.random) && !secret.pattern.test(text)

export const from = (text: string): Value => {
  const target = parse(text)
  return target === undefined ? { v: text } : { r: [target.step, target.column] }
}
