/**
 * The shape of a request as a number, computed without any string: `keyOf` in `shape.ts` costs three times as much, and most
 * requests have a known shape.
 *
 * Equal fingerprints mean equal shapes (53 bits; the other way round does not hold).
 */
import { hashOf, prime, root, type Sink, scan } from "./grammar.js"

/** Requests without a fingerprint: another service's path, nested conditions. */
export const none = -1

/** Two hashes of 32 bits, since numbers have 53. */
class Hash implements Sink {
  private one = 0
  private other = 0
  private isTold = true

  of(method: string, path: string): number {
    this.one = hashOf(method)
    this.other = this.one ^ 0x5bd1e995
    this.isTold = true
    const query = path.indexOf("?")
    const end = query === -1 ? path.length : query
    this.text(path, root.length, end)
    if (query !== -1) scan(path, query + 1, this)
    return this.isTold ? (this.one >>> 0) * 0x200000 + (this.other >>> 11) : none
  }

  name(path: string, from: number, end: number): void {
    this.text(path, from - 1, end)
  }

  text(path: string, from: number, end: number): void {
    // Fields cost more than variables, and this loop does all the work.
    let { one, other } = this
    for (let at = from; at < end; at += 1) {
      const code = path.charCodeAt(at)
      one = Math.imul(one ^ code, prime)
      other = Math.imul(other ^ code, 0x85ebca6b) ^ (other >>> 15)
    }
    this.one = one
    this.other = other
  }

  conditions(): boolean {
    this.isTold = false
    return false
  }
}

/** One shared instance: each use ends before the next begins. */
const hash = new Hash()

export const fingerprint = (method: string, path: string): number =>
  path.startsWith(root) ? hash.of(method, path) : none
