/**
 * The shape of a request as a number, computed in one pass over the path without making a single string: `keyOf` in
 * `shape.ts` costs three times as much, and most requests have a shape that was seen before.
 *
 * Equal fingerprints mean equal shapes (53 bits; the other way round does not hold). Values are skipped, as there.
 */
import { kept, operators, root, trees } from "./shape.js"

const prime = 0x01000193
const seed = 0x811c9dc5

const hashOf = (word: string): number => {
  let hash = seed
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), prime)
  return hash
}

const keptHashes = new Set([...kept].map(hashOf))
const treeHashes = new Set([...trees, "and", "or"].map(hashOf))
const operatorHashes = new Set([...operators].map(hashOf))

const ampersand = 0x26
const dot = 0x2e
const equals = 0x3d
const bracket = 0x28
const percent = 0x25

/** What cannot be told so: another service's path, nested conditions. */
export const none = -1

const isLetter = (code: number): boolean => code >= 0x61 && code <= 0x7a

/** `eq.`, `eq(any).`, with the bracket encoded or not. */
const endsOperator = (path: string, at: number): boolean => {
  const code = path.charCodeAt(at)
  return code === dot || code === bracket || (code === percent && path.startsWith("28", at + 1))
}

/** The hash of the operator at the beginning of a value; 0 where there is none. */
const operatorAt = (path: string, from: number): number => {
  const negated = path.startsWith("not.", from)
  let at = negated ? from + 4 : from
  let hash = seed
  for (let code = path.charCodeAt(at); isLetter(code); code = path.charCodeAt(at)) {
    hash = Math.imul(hash ^ code, prime)
    at += 1
  }
  if (!operatorHashes.has(hash) || !endsOperator(path, at)) return 0
  return negated ? ~hash : hash
}

export const fingerprint = (method: string, path: string): number => {
  if (!path.startsWith(root)) return none
  const { length } = path
  let one = hashOf(method)
  let other = one ^ 0x5bd1e995
  let word = seed
  let isPath = true
  for (let at = root.length; at < length; at += 1) {
    const code = path.charCodeAt(at)
    one = Math.imul(one ^ code, prime)
    other = Math.imul(other ^ code, 0x85ebca6b) ^ (other >>> 15)
    if (isPath) {
      if (code === 0x3f) isPath = false
    } else if (code === ampersand || code === dot) word = seed
    else if (code !== equals) word = Math.imul(word ^ code, prime)
    else {
      if (treeHashes.has(word)) return none
      const next = path.indexOf("&", at)
      const end = next === -1 ? length : next
      if (keptHashes.has(word)) {
        for (let inner = at + 1; inner < end; inner += 1) {
          const letter = path.charCodeAt(inner)
          one = Math.imul(one ^ letter, prime)
          other = Math.imul(other ^ letter, 0x85ebca6b) ^ (other >>> 15)
        }
      } else {
        const operator = operatorAt(path, at + 1)
        one = Math.imul(one ^ operator, prime)
        other = Math.imul(other ^ operator, 0x85ebca6b) ^ (other >>> 15)
      }
      at = end - 1
    }
  }
  return (one >>> 0) * 0x200000 + (other >>> 11)
}
