/**
 * `Content-Encoding` (RFC 9110 §8.4): what is asked for, and how what comes is decoded: never to more than a limit, and
 * by zlib's own threads where it takes long.
 */
import type { Transform } from "node:stream"
import * as Zlib from "node:zlib"

/** Why an answer could not be decoded. */
export type Undecoded =
  | { readonly why: "unknown"; readonly coding: string }
  | { readonly why: "broken"; readonly coding: string; readonly code: string }
  | { readonly why: "too large" }

interface Limits {
  readonly maxOutputLength: number
  readonly chunkSize: number
}

interface Coding {
  readonly now: (body: Buffer, limits: Limits) => Buffer
  readonly later: (body: Buffer, limits: Limits) => Transform
}

/** Some servers take the name at its word and leave the zlib wrapper out. */
const isWrapped = (body: Buffer): boolean => ((body[0] ?? 0) & 0x0f) === 8

const deflate: Coding = {
  now: (body, limits) => (isWrapped(body) ? Zlib.inflateSync : Zlib.inflateRawSync)(body, limits),
  later: (body, limits) => (isWrapped(body) ? Zlib.createInflate : Zlib.createInflateRaw)(limits)
}

type Zstd = {
  readonly createZstdDecompress: (limits: Limits) => Transform
  readonly zstdDecompressSync: Coding["now"]
}

/** From Node 22.15 on. */
const hasZstd = (zlib: object): zlib is Zstd => "createZstdDecompress" in zlib && "zstdDecompressSync" in zlib

/** A namespace of a built-in module has no prototype, and its type does not know what newer versions have. */
const zlib: object = Zlib

interface Codings {
  readonly all: ReadonlyMap<string, Coding>
  /** What an answer may be encoded with. */
  readonly accepted: string
}

const makeCodings = (): Codings => {
  const gzip: Coding = { now: Zlib.gunzipSync, later: (_, limits) => Zlib.createGunzip(limits) }
  const all = new Map<string, Coding>([
    ["gzip", gzip],
    ["x-gzip", gzip],
    ["deflate", deflate],
    ["br", { now: Zlib.brotliDecompressSync, later: (_, limits) => Zlib.createBrotliDecompress(limits) }],
    ...(hasZstd(zlib)
      ? [
          [
            "zstd",
            { now: zlib.zstdDecompressSync, later: (_: Buffer, limits: Limits) => zlib.createZstdDecompress(limits) }
          ] as const
        ]
      : [])
  ])
  return { all, accepted: ["br", "gzip", "zstd"].filter((name) => all.has(name)).join(", ") }
}

let made: Codings | undefined

/** Looked for with the first request, since an import would have to load zlib for it. */
export const codings = (): Codings => {
  made ??= makeCodings()
  return made
}

/** Nobody encodes so often, and each time may make a thousand times as much. */
const mostCodings = 4

/** In the order in which they have to be undone. */
const codingsOf = (header: string): ReadonlyArray<string> =>
  header
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity")
    .reverse()

/** A round trip to another thread costs more than to decode so much. */
const little = 8_192

/** What so little may become on this thread; more is left to another. */
const littleDecoded = 131_072

const code = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNREADABLE"

/** One allocation where it is gzip's usual five to one, and not hundreds of chunks, each a round trip to a thread. */
const chunkFor = (body: Buffer, limit: number): number =>
  Math.max(16_384, Math.min(body.length * 6, limit + 1, 4 * 2 ** 20))

const problem = (coding: string, error: unknown): Undecoded =>
  code(error) === "ERR_BUFFER_TOO_LARGE" ? { why: "too large" } : { why: "broken", coding, code: code(error) }

/** Undefined where that is better left to another thread. */
const decodeNow = (name: string, coding: Coding, body: Buffer, limit: number): Buffer | Undecoded | undefined => {
  if (body.length > little) return undefined
  const most = Math.min(limit, littleDecoded)
  try {
    return coding.now(body, { maxOutputLength: most, chunkSize: chunkFor(body, most) })
  } catch (error) {
    const wrong = problem(name, error)
    return wrong.why === "too large" && most < limit ? undefined : wrong
  }
}

type Done = (decoded: ReadonlyArray<Buffer> | Undecoded) => void

/** By zlib's threads. The chunks are left as they come: to join those of a large answer takes long, and twice its memory. */
const decodeLater = (name: string, coding: Coding, body: Buffer, limit: number, done: Done): void => {
  const chunks: Array<Buffer> = []
  let length = 0
  const stream = coding.later(body, { maxOutputLength: limit, chunkSize: chunkFor(body, limit) })
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length <= limit) return
    stream.removeAllListeners("end")
    stream.destroy()
    done({ why: "too large" })
  })
  stream.once("error", (error) => done(problem(name, error)))
  stream.once("end", () => done(chunks))
  stream.end(body)
}

const undo = (names: ReadonlyArray<string>, body: ReadonlyArray<Buffer>, limit: number, done: Done): void => {
  const [name, ...others] = names
  if (name === undefined) {
    done(body)
    return
  }
  const coding = codings().all.get(name)
  if (coding === undefined) {
    done({ why: "unknown", coding: name })
    return
  }
  const bytes = body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body)
  const now = decodeNow(name, coding, bytes, limit)
  if (now instanceof Uint8Array) undo(others, [now], limit, done)
  else if (now !== undefined) done(now)
  else {
    decodeLater(name, coding, bytes, limit, (decoded) => {
      if ("why" in decoded) done(decoded)
      else undo(others, decoded, limit, done)
    })
  }
}

/** The chunks of the decoded body. Calls back before it returns where it is little. */
export const decode = (header: string, body: Buffer, limit: number, done: Done): void => {
  const names = codingsOf(header)
  if (names.length > mostCodings) done({ why: "unknown", coding: header })
  else undo(names, [body], limit, done)
}
