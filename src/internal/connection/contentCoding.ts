/**
 * `Content-Encoding` (RFC 9110 §8.4): what is asked for, and how what comes is decoded: never to more than a limit, and
 * by zlib's own threads where it takes long.
 */
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
  readonly later: (body: Buffer, limits: Limits, done: (error: Error | null, decoded: Buffer) => void) => void
}

/** Some servers take the name at its word and leave the zlib wrapper out. */
const isWrapped = (body: Buffer): boolean => ((body[0] ?? 0) & 0x0f) === 8

const deflate: Coding = {
  now: (body, limits) => (isWrapped(body) ? Zlib.inflateSync : Zlib.inflateRawSync)(body, limits),
  later: (body, limits, done) => (isWrapped(body) ? Zlib.inflate : Zlib.inflateRaw)(body, limits, done)
}

type Zstd = { readonly zstdDecompress: Coding["later"]; readonly zstdDecompressSync: Coding["now"] }

/** From Node 22.15 on. */
const hasZstd = (zlib: object): zlib is Zstd => "zstdDecompress" in zlib && "zstdDecompressSync" in zlib

/** A namespace of a built-in module has no prototype, and its type does not know what newer versions have. */
const zlib: object = Zlib

interface Codings {
  readonly all: ReadonlyMap<string, Coding>
  /** What an answer may be encoded with. */
  readonly accepted: string
}

const makeCodings = (): Codings => {
  const gzip: Coding = { now: Zlib.gunzipSync, later: Zlib.gunzip }
  const all = new Map<string, Coding>([
    ["gzip", gzip],
    ["x-gzip", gzip],
    ["deflate", deflate],
    ["br", { now: Zlib.brotliDecompressSync, later: Zlib.brotliDecompress }],
    ...(hasZstd(zlib) ? [["zstd", { now: zlib.zstdDecompressSync, later: zlib.zstdDecompress }] as const] : [])
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

type Done = (decoded: Buffer | Undecoded) => void

const undo = (names: ReadonlyArray<string>, body: Buffer, limit: number, done: Done): void => {
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
  const next = (decoded: Buffer | Undecoded): void => {
    if (decoded instanceof Uint8Array) undo(others, decoded, limit, done)
    else done(decoded)
  }
  const now = decodeNow(name, coding, body, limit)
  if (now !== undefined) {
    next(now)
    return
  }
  coding.later(body, { maxOutputLength: limit, chunkSize: chunkFor(body, limit) }, (error, decoded) =>
    next(error === null ? decoded : problem(name, error))
  )
}

/** Calls back before it returns where it is little. */
export const decode = (header: string, body: Buffer, limit: number, done: Done): void => {
  const names = codingsOf(header)
  if (names.length > mostCodings) done({ why: "unknown", coding: header })
  else undo(names, body, limit, done)
}
