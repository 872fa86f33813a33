import { randomBytes } from "node:crypto"
import type { Value } from "./step.js"

/**
 * A reference must pass through supabase-js's builders, which know only text and JSON. So it is a text that nobody else
 * can make: it holds a random number that never leaves this process.
 */
const secret = randomBytes(12).toString("hex")

const pattern = new RegExp(`^supabase_pool_ref_${secret}_(\\d+)_([0-9a-f]*)$`)

export const make = (step: number, column: string): string =>
  `supabase_pool_ref_${secret}_${step}_${Buffer.from(column, "utf8").toString("hex")}`

export interface Target {
  readonly step: number
  readonly column: string
}

export const parse = (text: string): Target | undefined => {
  const match = pattern.exec(text)
  return match === null
    ? undefined
    : { step: Number(match[1]), column: Buffer.from(match[2] ?? "", "hex").toString("utf8") }
}

/** Whether a reference stands inside a longer text, where it cannot be replaced. */
export const isWithin = (text: string): boolean => text.includes(secret) && !pattern.test(text)

export const from = (text: string): Value => {
  const target = parse(text)
  return target === undefined ? { v: text } : { r: [target.step, target.column] }
}
