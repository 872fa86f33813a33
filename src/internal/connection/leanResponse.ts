/**
 * A `Response` that costs nothing but what the PostgREST builder reads: `ok`, `status`, one header, `text()`.
 *
 * The global `Response` and `Headers` take longer to build than the whole request takes to parse, so both are made
 * only when somebody asks for what is not here.
 */

import { identity } from "effect/Function"
import { type BrokenRows, LargeBody } from "./largeBody.js"

/** Headers as undici hands them over: name, value, name, value. */
export type RawHeaders = ReadonlyArray<Buffer>

/** The first value of a header, or null; the name in lower case. */
export const headerOf = (raw: RawHeaders, name: string): string | null => {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const key = raw[i]
    const value = raw[i + 1]
    if (key !== undefined && value !== undefined && key.length === name.length) {
      if (key.toString("latin1").toLowerCase() === name) return value.toString("latin1")
    }
  }
  return null
}

/** As `Headers.get` gives it: values of the same name joined. */
export const allOf = (raw: RawHeaders, name: string): string | null => {
  let found: string | null = null
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const key = raw[i]
    if (key?.length !== name.length || key.toString("latin1").toLowerCase() !== name) continue
    const value = String(raw[i + 1]?.toString("latin1"))
    found = found === null ? value : `${found}, ${value}`
  }
  return found
}

/** What is said of the encoded body is not true of the decoded one. */
export const withoutCoding = (raw: RawHeaders): RawHeaders =>
  raw.filter((_, i) => {
    const name = raw[i - (i % 2)]?.toString("latin1").toLowerCase()
    return name !== "content-encoding" && name !== "content-length"
  })

class LeanHeaders implements Headers {
  readonly #raw: RawHeaders
  #full: Headers | undefined

  constructor(raw: RawHeaders) {
    this.#raw = raw
  }

  #inflate(): Headers {
    if (this.#full !== undefined) return this.#full
    const full = new Headers()
    for (let i = 0; i + 1 < this.#raw.length; i += 2) {
      full.append(String(this.#raw[i]?.toString("latin1")), String(this.#raw[i + 1]?.toString("latin1")))
    }
    this.#full = full
    return full
  }

  get(name: string): string | null {
    return this.#full === undefined ? allOf(this.#raw, name.toLowerCase()) : this.#full.get(name)
  }
  has(name: string): boolean {
    return this.get(name) !== null
  }
  append(name: string, value: string): void {
    this.#inflate().append(name, value)
  }
  delete(name: string): void {
    this.#inflate().delete(name)
  }
  set(name: string, value: string): void {
    this.#inflate().set(name, value)
  }
  getSetCookie(): Array<string> {
    return this.#inflate().getSetCookie()
  }
  forEach(callback: (value: string, key: string, parent: Headers) => void, thisArg?: unknown): void {
    this.#inflate().forEach(callback, thisArg)
  }
  entries(): ReturnType<Headers["entries"]> {
    return this.#inflate().entries()
  }
  keys(): ReturnType<Headers["keys"]> {
    return this.#inflate().keys()
  }
  values(): ReturnType<Headers["values"]> {
    return this.#inflate().values()
  }
  [Symbol.iterator](): ReturnType<Headers["entries"]> {
    return this.#inflate().entries()
  }
}

/** Statuses whose responses have no body, so that `new Response` refuses one (Fetch standard, "null body status"). */
const bodiless = new Set([101, 103, 204, 205, 304])

const unusable = "Body is unusable: it has been read already"

/** Without the byte order mark, as the Fetch standard's "UTF-8 decode" does. */
const textOf = (body: Buffer): string =>
  body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.toString("utf8", 3) : body.toString("utf8")

/** An answer as it came. */
export interface RawAnswer {
  readonly url: string
  readonly status: number
  readonly statusText: string
  readonly headers: RawHeaders
  /** Null where there can be no body: the answer to HEAD. */
  readonly body: Buffer | LargeBody | null
  /** The text that a builder reads in place of the body; undefined: the body. */
  readonly instead: string | undefined
}

const bytesOf = (body: Buffer | LargeBody): Buffer => (body instanceof LargeBody ? body.bytes() : body)

export class LeanResponse implements Response {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  readonly url: string
  readonly redirected = false
  readonly type = "default"
  readonly #answer: RawAnswer
  #used = false
  #full: Response | undefined
  /** What becomes of its text before somebody has it. */
  textAs: (text: string) => string = identity

  constructor(answer: RawAnswer) {
    this.url = answer.url
    this.status = answer.status
    this.statusText = answer.statusText
    this.headers = new LeanHeaders(answer.headers)
    this.#answer = answer
  }

  /** What has no body can be read as often as one likes: there is nothing to use up. */
  #bytes(): Buffer | null {
    const { body } = this.#answer
    return bodiless.has(this.status) || body === null ? null : bytesOf(body)
  }

  #inflate(): Response {
    if (this.#used) throw new TypeError(unusable)
    const bytes = this.#bytes()
    this.#full ??= new Response(bytes === null ? null : new Uint8Array(bytes), {
      status: this.status,
      statusText: this.statusText,
      headers: [...this.headers.entries()]
    })
    return this.#full
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }
  get bodyUsed(): boolean {
    return this.#used || (this.#full?.bodyUsed ?? false)
  }
  get body(): Response["body"] {
    // Read as text already: what is left of it is an empty stream, which `new Response("")` has.
    if (this.#used) return new Response("").body
    return this.#inflate().body
  }
  text(): Promise<string> {
    if (this.bodyUsed) return Promise.reject(new TypeError(unusable))
    if (this.#full !== undefined) return this.#full.text()
    const { body, instead } = this.#answer
    // Only one that is empty can be none.
    if (body === null || (body.length === 0 && this.#bytes() === null)) return Promise.resolve(instead ?? "")
    this.#used = true
    // A text that is too long for JavaScript rejects as any failure of a body does.
    return new Promise((resolve) => resolve(instead ?? this.textAs(textOf(bytesOf(body)))))
  }
  /** Whether `rows` can be asked for: it is a long list, and nobody has read it. */
  get hasRows(): boolean {
    return this.#answer.body instanceof LargeBody && !this.bodyUsed && this.#answer.instead === undefined
  }
  /** The rows of a long list in place of its text, or where that breaks. */
  rows(): Promise<Array<unknown> | BrokenRows> {
    const { body } = this.#answer
    if (!(body instanceof LargeBody) || this.bodyUsed) return Promise.reject(new TypeError(unusable))
    this.#used = true
    return body.rows(this.textAs)
  }
  /** The same answer with other words. */
  saying(words: string): LeanResponse {
    return new LeanResponse({ ...this.#answer, body: Buffer.from(words) })
  }
  json(): ReturnType<Response["json"]> {
    return this.text().then((body) => JSON.parse(body))
  }
  clone(): Response {
    if (this.#full !== undefined) return this.#full.clone()
    if (this.#used) throw new TypeError(unusable)
    const { body } = this.#answer
    const copy = new LeanResponse(body instanceof LargeBody ? { ...this.#answer, body: body.copy() } : this.#answer)
    copy.textAs = this.textAs
    return copy
  }
  /** Without what a builder was to read in place of it, and for who has no connection. */
  asItCame(): Response {
    if (this.#answer.body instanceof LargeBody) this.#answer.body.detach()
    if (this.#answer.instead === undefined) return this
    return new LeanResponse({ ...this.#answer, instead: undefined })
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#inflate().arrayBuffer()
  }
  async blob(): Promise<Blob> {
    return this.#inflate().blob()
  }
  async bytes(): ReturnType<Response["bytes"]> {
    return new Uint8Array(await this.#inflate().arrayBuffer())
  }
  async formData(): Promise<FormData> {
    return this.#inflate().formData()
  }
}

/** Whether they have the platform's classes above them. */
let related = false

/**
 * From now on `instanceof Response` and `instanceof Headers` are true of them, for whoever takes one from a `fetch`. Not on
 * import: Node loads its own `fetch` with the first look at these names.
 */
export const relate = (): void => {
  if (related) return
  related = true
  Object.setPrototypeOf(LeanResponse.prototype, Response.prototype)
  Object.setPrototypeOf(LeanHeaders.prototype, Headers.prototype)
}
