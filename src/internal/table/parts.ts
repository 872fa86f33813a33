/** How long a list may be in an address, and how one that is longer is asked for in parts. */
import { quoted, type Scalar } from "./literal.js"

/** Gateways refuse addresses of 8 KiB and more, and there is more in one than a list. */
const longestList = 6_000

/** As the list is in the address, with its comma. */
export const lengthOf = (value: Scalar): number => encodeURIComponent(quoted(String(value))).length + 3

/** PostgREST gives no more than 1000 rows unless it is told to. */
export const mostKeys = 500

/** Whether one more fits behind as many characters. */
export const fits = (length: number, value: Scalar): boolean => length + lengthOf(value) <= longestList

const lengthOfAll = (values: ReadonlyArray<Scalar>): number =>
  values.reduce((length: number, value) => length + lengthOf(value), 0)

export const isLong = (values: ReadonlyArray<Scalar>): boolean => lengthOfAll(values) > longestList

/**
 * As many values in each part as an address holds and `most` allows. Those that differ in case only stay together: the database
 * may take them for one (UUIDs, `citext`), and no row shall be in two parts.
 */
export const partsOfList = <A extends Scalar>(
  values: ReadonlyArray<A>,
  most = Number.POSITIVE_INFINITY
): ReadonlyArray<ReadonlyArray<A>> => {
  const alike = new Map<string, Array<A>>()
  for (const value of values) {
    const name = String(value).toLowerCase()
    const same = alike.get(name)
    if (same === undefined) alike.set(name, [value])
    else same.push(value)
  }
  const parts: Array<Array<A>> = []
  let length = 0
  for (const same of alike.values()) {
    const added = lengthOfAll(same)
    const last = parts.at(-1)
    if (last === undefined || length + added > longestList || last.length + same.length > most) {
      parts.push(same)
      length = added
    } else {
      last.push(...same)
      length += added
    }
  }
  return parts
}
