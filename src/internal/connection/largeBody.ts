/**
 * The body of a large answer that is a list of rows, in the chunks in which it came. It is parsed piece by piece with a turn
 * of the event loop between two of them, so that nobody waits long; what is parsed is let go of at once.
 */
import { nextTurn } from "../shared/nextTurn.js"
import { jsonBreak } from "./jsonBreak.js"
import { boundary, scanOf, seamOf } from "./rowBoundaries.js"

/** From so many bytes on an answer is large. Below, nobody waits long for it. */
const large = 262_144

const openingBracket = 0x5b
const closingBracket = 0x5d
const comma = 0x2c

/** What is known of whoever reads it. */
export interface Reader {
  /** Nobody waits for it any more. */
  readonly isOver: boolean
  /** It is no JSON: what is said of it instead. */
  breaks(words: string): void
}

/** No row of it is anybody's. */
export class BrokenRows extends SyntaxError {
  override readonly name = "BrokenRows"

  /** `offset` in bytes from 0, `row` from 1. */
  constructor(offset: number, row: number, size: number) {
    super(
      offset >= size
        ? `it ends too early, after ${size} bytes, in row ${row}`
        : `it breaks at byte ${offset} of ${size}, in row ${row}`
    )
  }
}

/** The connection has gone back to the pool while its answer was read, as it does when a fiber is interrupted. */
class ReadTooLate extends Error {
  override readonly name = "ReadTooLate"

  constructor() {
    super("The connection went back to the pool before its answer was read: wait for the answer in the operation.")
  }
}

const nothing = Buffer.alloc(0)

export class LargeBody {
  readonly length: number
  readonly #reader: Reader
  readonly #pieceSize: number
  #chunks: Array<Buffer>
  #isDetached = false

  /** The list of chunks is its own from now on. So many bytes are parsed at a time: one or two milliseconds by default. */
  constructor(chunks: Array<Buffer>, length: number, reader: Reader, pieceSize = 131_072) {
    this.#chunks = chunks
    this.length = length
    this.#reader = reader
    this.#pieceSize = pieceSize
  }

  /** Whether a body is read by rows: it is large, and begins as a list. */
  static holds([first]: ReadonlyArray<Buffer>, length: number): boolean {
    return length >= large && first?.[0] === openingBracket
  }

  /** For another reader. The bytes are the same. */
  copy(): LargeBody {
    return new LargeBody([...this.#chunks], this.length, this.#reader, this.#pieceSize)
  }

  /** From now on it belongs to somebody who has no connection. */
  detach(): void {
    this.#isDetached = true
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks, this.length)
  }

  /**
   * All rows, or where they break; `textAs` is applied to their text before it is parsed. Nothing is left in the body. If
   * the operation that began to read is over, nothing more is parsed, and it rejects.
   */
  async rows(textAs: (text: string) => string): Promise<Array<unknown> | BrokenRows> {
    const reader = this.#reader
    const isFree = this.#isDetached || reader.isOver
    const pieces = new Pieces(this.#chunks, this.length, textAs, this.#pieceSize)
    this.#chunks = []
    const rows: Array<unknown> = []
    for (;;) {
      const parsed = pieces.next()
      if (parsed instanceof BrokenRows) {
        reader.breaks(parsed.message)
        return parsed
      }
      for (const row of parsed) rows.push(row)
      if (pieces.isAtEnd) return rows
      await nextTurn()
      if (reader.isOver && !isFree) throw new ReadTooLate()
    }
  }
}

/** Undefined of what is no JSON. */
const parsedAs = (text: string): Array<unknown> | undefined => {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

class Pieces {
  isAtEnd = false
  private readonly chunks: Array<Buffer>
  private readonly size: number
  private readonly textAs: (text: string) => string
  private readonly pieceSize: number
  private nextChunk = 0
  /** What is not parsed yet of the chunks that were taken: a bracket, and behind it a row. A copy, which is written to. */
  private rest: Buffer = nothing
  /** Of `rest`, in the whole. */
  private offset = 0
  private parsed = 0
  /**
   * From the end of one row to the first key of the next, as it was between the first two. Looked for from the end of a
   * piece, it tells where that may be cut, without a look at each byte. If it stands within a row, which some rows have
   * in them, what is before it is no JSON: then, and from then on, each byte is looked at. Undefined where it is unknown.
   */
  private seam: Buffer | undefined

  constructor(chunks: Array<Buffer>, size: number, textAs: (text: string) => string, pieceSize: number) {
    this.chunks = chunks
    this.size = size
    this.textAs = textAs
    this.pieceSize = pieceSize
  }

  /** The next rows. */
  next(): Array<unknown> | BrokenRows {
    const scan = scanOf()
    for (let wanted = this.pieceSize; ; wanted = this.rest.length * 2) {
      this.take(wanted)
      if (this.nextChunk === this.chunks.length) return this.last()
      const guessed = this.before(this.guess())
      if (guessed !== undefined) return guessed
      this.seam = undefined
      const found = boundary(this.rest, scan)
      if (found !== -1) return this.before(found) ?? this.broken()
    }
  }

  /** More chunks, until there are so many bytes, or no more chunks. */
  private take(wanted: number): void {
    const { chunks } = this
    const taken = [this.rest]
    for (let { length } = this.rest; length < wanted && this.nextChunk < chunks.length; this.nextChunk += 1) {
      const chunk = chunks[this.nextChunk] ?? nothing
      chunks[this.nextChunk] = nothing
      taken.push(chunk)
      length += chunk.length
    }
    this.rest = Buffer.concat(taken)
    if (this.parsed === 0) this.seam = seamOf(this.rest)
  }

  /** The comma behind the last row, if this is one; -1 where nothing was found. */
  private guess(): number {
    const { rest, seam } = this
    const found = seam === undefined ? -1 : rest.lastIndexOf(seam)
    return found === -1 ? -1 : rest.indexOf(comma, found)
  }

  /** The rows in front of a comma. Brackets are written into the bytes: to put them around a text would copy it. */
  private before(at: number): Array<unknown> | undefined {
    if (at === -1) return undefined
    const { rest } = this
    rest[at] = closingBracket
    const parsed = parsedAs(this.textAs(rest.toString("utf8", 0, at + 1)))
    // `[]`: a comma behind nothing.
    if (parsed === undefined || parsed.length === 0) {
      rest[at] = comma
      return undefined
    }
    rest[at] = openingBracket
    this.rest = rest.subarray(at)
    this.offset += at
    this.parsed += parsed.length
    return parsed
  }

  private last(): Array<unknown> | BrokenRows {
    const parsed = parsedAs(this.textAs(this.rest.toString("utf8")))
    if (parsed === undefined || (parsed.length === 0 && this.parsed > 0)) return this.broken()
    this.isAtEnd = true
    return parsed
  }

  /** Row by row: this happens once, to an answer that nobody can use. */
  private broken(): BrokenRows {
    const { offset, rest, size } = this
    const scan = scanOf()
    let from = 1
    for (let row = this.parsed + 1; ; row += 1) {
      const end = boundary(rest, scan, true)
      const isLast = end < from
      const text = rest.toString("utf8", from, isLast ? rest.length : end)
      // The last one has the bracket behind it that closes the list; if nothing else is wrong, it has nothing before it.
      const at = isLast ? (jsonBreak(`[${text}`) ?? 1) - 1 : jsonBreak(text)
      if (at !== undefined) return new BrokenRows(offset + from + Buffer.byteLength(text.slice(0, at)), row, size)
      from = end + 1
    }
  }
}
