/** Where rows begin and end in the bytes of a JSON list. */

const openingBracket = 0x5b
const closingBracket = 0x5d
const openingBrace = 0x7b
const closingBrace = 0x7d
const comma = 0x2c
const quote = 0x22
const backslash = 0x5c

/** How far bytes were looked at that begin with the list's bracket. */
export interface Scan {
  at: number
  depth: number
  isInText: boolean
  /** The comma behind the last row that ended; -1 before the first. */
  last: number
}

export const scanOf = (): Scan => ({ at: 1, depth: 0, isInText: false, last: -1 })

/**
 * The comma behind the last row that ends in these bytes, or behind the next one; -1 where none does. Goes on where the scan
 * stopped.
 */
export const boundary = (bytes: Buffer, scan: Scan, next = false): number => {
  let { at, depth, isInText, last } = scan
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (isInText) {
      if (byte === backslash) at += 1
      else if (byte === quote) isInText = false
    } else if (byte === quote) isInText = true
    else if (byte === openingBrace || byte === openingBracket) depth += 1
    else if (byte === closingBrace || byte === closingBracket) depth -= 1
    else if (byte === comma && depth === 0) {
      last = at
      if (!next) continue
      at += 1
      break
    }
  }
  Object.assign(scan, { at, depth, isInText, last })
  return last
}

/** The longest that is looked for. */
const longestSeam = 128

/** From the end of the first row to the first key of the second; undefined where rows are no objects, or have none. */
export const seamOf = (bytes: Buffer): Buffer | undefined => {
  const at = boundary(bytes, scanOf(), true)
  if (at < 1 || bytes[at - 1] !== closingBrace) return undefined
  const colon = bytes.indexOf(":", at)
  if (colon === -1 || colon - at > longestSeam) return undefined
  const seam = bytes.subarray(at - 1, colon + 1)
  return /^\},\s*\{\s*"[^"\\]*"\s*:$/.test(seam.toString("latin1")) ? Buffer.from(seam) : undefined
}
