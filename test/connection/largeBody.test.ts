/** A list of rows that is parsed piece by piece is what `JSON.parse` makes of it, or nobody has a row of it. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { identity } from "effect/Function"
import { jsonBreak } from "../../src/internal/connection/jsonBreak.js"
import { BrokenRows, LargeBody, type Reader } from "../../src/internal/connection/largeBody.js"

const reader = (): Reader & { words: string; isOver: boolean } => ({
  isOver: false,
  words: "",
  breaks(words) {
    this.words = words
  }
})

/** In chunks of these lengths, again and again. */
const chunksOf = (bytes: Buffer, lengths: ReadonlyArray<number>): Array<Buffer> => {
  const chunks: Array<Buffer> = []
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const length = lengths[n % lengths.length] ?? 1
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

const bodyOf = (text: string, lengths: ReadonlyArray<number>, pieceSize: number, who: Reader = reader()): LargeBody => {
  const bytes = Buffer.from(text)
  return new LargeBody(chunksOf(bytes, lengths), bytes.length, who, pieceSize)
}

/** Rows as they are, and such as look like the borders of others. */
const value = FastCheck.letrec<{ value: unknown; text: string }>((tie) => ({
  text: FastCheck.oneof(
    FastCheck.string({ unit: "grapheme", maxLength: 8 }),
    FastCheck.constantFrom("},{", '}, \n {"id":', '\\"', "\\", "],[", '"a":1},{"a":', "[", "}")
  ),
  value: FastCheck.oneof(
    { maxDepth: 4 },
    FastCheck.integer(),
    FastCheck.double({ noNaN: true, noDefaultInfinity: true }),
    FastCheck.boolean(),
    FastCheck.constant(null),
    tie("text"),
    FastCheck.array(tie("value"), { maxLength: 3 }),
    FastCheck.dictionary(FastCheck.oneof(FastCheck.constantFrom("id", "a"), tie("text")), tie("value"), { maxKeys: 3 })
  )
})).value

const row = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.record({ id: FastCheck.nat(), a: value, "},{": value }, { requiredKeys: ["id"] }) },
  { weight: 1, arbitrary: value }
)

const layout = FastCheck.constantFrom("[X,X]", "[X, \n X]", "[X,\r\n\tX]", " [ X , X ] ")

const written = (rows: ReadonlyArray<unknown>, how: string): string => {
  const [open = "", between = "", close = ""] = how.split("X")
  return `${open.trimStart()}${rows.map((each) => JSON.stringify(each)).join(between)}${close}`
}

const lengths = FastCheck.array(FastCheck.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 })
const pieceSize = FastCheck.integer({ min: 1, max: 80 })

describe("the rows of a large body", () => {
  it("are those that JSON.parse makes of the whole, wherever it is cut", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.array(row, { maxLength: 12 }),
        layout,
        lengths,
        pieceSize,
        async (rows, how, cuts, size) => {
          const text = written(rows, how)
          expect(await bodyOf(text, cuts, size).rows(identity)).toStrictEqual(JSON.parse(text))
        }
      ),
      { numRuns: 1_000 }
    ))

  it("are none where the whole is no JSON, and otherwise all of them, whichever character is another", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.array(row, { minLength: 1, maxLength: 8 }),
        layout,
        lengths,
        pieceSize,
        FastCheck.nat(),
        FastCheck.constantFrom("", ",", "]", "[", "}", "{", '"', "\\", ":", "1", ",,"),
        async (rows, how, cuts, size, at, instead) => {
          const sound = written(rows, how)
          const place = 1 + (at % (sound.length - 1))
          // Half a character is none in bytes.
          const text = Buffer.from(sound.slice(0, place) + instead + sound.slice(place + 1)).toString()
          const who = reader()
          const found = await bodyOf(text, cuts, size, who).rows(identity)
          let whole: unknown
          try {
            whole = JSON.parse(text)
          } catch {
            expect(found).toBeInstanceOf(BrokenRows)
            expect(who.words).toMatch(/^it (breaks at byte \d+ of \d+|ends too early, after \d+ bytes), in row \d+$/)
            return
          }
          expect(found).toStrictEqual(whole)
        }
      ),
      { numRuns: 2_000 }
    ))

  const broken: ReadonlyArray<readonly [name: string, text: string, words: string]> = [
    ["in a value", '[{"a":1},{"a":2},{"a":x},{"a":4}]', "it breaks at byte 22 of 33, in row 3"],
    ["behind characters of several bytes", '[{"a":"é€"},{"a":x}]', "it breaks at byte 20 of 23, in row 2"],
    ["between two rows", '[{"a":1} {"a":2},{"a":3}]', "it breaks at byte 9 of 25, in row 1"],
    ["with a row that is missing", '[{"a":1},,{"a":3}]', "it breaks at byte 9 of 18, in row 2"],
    ["with a comma behind the last row", '[{"a":1},]', "it breaks at byte 9 of 10, in row 2"],
    ["behind the end", '[{"a":1},{"a":2}] sorry', "it breaks at byte 18 of 23, in row 2"],
    ["in the middle of a row", '[{"a":1},{"a":2},{"a"', "it ends too early, after 21 bytes, in row 3"],
    ["behind a row", '[{"a":1},{"a":2}', "it ends too early, after 16 bytes, in row 2"],
    ["in a text", '[{"a":1},{"a":"2}]', "it ends too early, after 18 bytes, in row 2"]
  ]
  for (const [name, text, words] of broken) {
    it(`that break ${name} say where`, async () => {
      for (const size of [1, 8, 20, 1_000]) {
        const who = reader()
        const found = await bodyOf(text, [3], size, who).rows(identity)
        expect(found).toMatchObject({ message: words })
        expect(who.words).toBe(words)
      }
    })
  }

  it("break where nothing else can be said to, too: in as much of a list as came", () =>
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(row, { minLength: 1, maxLength: 6 }),
        layout,
        FastCheck.nat(),
        (rows, how, at) => {
          const sound = written(rows, how).trimEnd()
          expect(jsonBreak(sound)).toBeUndefined()
          const cut = sound.slice(0, at % sound.length)
          // A number, a word or a code may be cut as well as whole.
          const found = jsonBreak(cut) ?? Number.NaN
          expect(found).toBeGreaterThanOrEqual(cut.length - 25)
          expect(found).toBeLessThanOrEqual(cut.length)
        }
      )
    ))

  it("leave a copy of the body whole", async () => {
    const text = JSON.stringify(Array.from({ length: 20 }, (_, id) => ({ id })))
    const body = bodyOf(text, [7], 16)
    const copy = body.copy()
    expect(await body.rows(identity)).toHaveLength(20)
    expect(copy.bytes().toString()).toBe(text)
  })

  it("are parsed in turns of the event loop, and no further once nobody waits for them", async () => {
    const text = JSON.stringify(Array.from({ length: 100 }, (_, id) => ({ id })))
    const pieces: Array<string> = []
    const who = reader()
    const late = bodyOf(text, [10], 64, who).rows((piece) => {
      pieces.push(piece)
      return piece
    })
    expect(pieces).toHaveLength(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(pieces.length).toBeLessThan(4)
    who.isOver = true
    const before = pieces.length
    await expect(late).rejects.toThrow("before its answer was read")
    expect(pieces).toHaveLength(before)
  })

  it("are parsed for who has no connection any more, or never had one", async () => {
    const detached = reader()
    const body = bodyOf("[1,2,3,4,5]", [1], 1, detached)
    body.detach()
    const found = body.rows(identity)
    detached.isOver = true
    expect(await found).toEqual([1, 2, 3, 4, 5])
    const who = { ...reader(), isOver: true }
    expect(await bodyOf("[1,2,3,4,5]", [1], 1, who).rows(identity)).toEqual([1, 2, 3, 4, 5])
  })
})
