/** A request under way on a socket, and what becomes of its answer. However it ends, its caller is told. */
import type * as Buffers from "node:buffer"
import { Effect } from "effect"
import type { Dispatcher } from "undici"
import { type DbError, type QueryError, RequestTimeout } from "../../Errors.js"
import { bodyAfterHead } from "../pool/hangUps.js"
import { Deadline } from "../shared/deadlines.js"
import { beginning, decodeBody } from "./answerBody.js"
import { longQuestion, type Said } from "./errorBody.js"
import { cutOff, tooLarge, Unasked } from "./fetchErrors.js"
import { type PlainHeaders, reads } from "./fetchInput.js"
import type { PlainRequest, Settle, UnderWay } from "./fetchTransport.js"
import { LargeBody } from "./largeBody.js"
import { allOf, headerOf, LeanResponse, type RawHeaders, withoutCoding } from "./leanResponse.js"
import type { SocketOptions } from "./socketFetch.js"
import type { Tenure } from "./tenure.js"

/** What it needs of its socket. */
interface Owner {
  readonly options: SocketOptions
  readonly inFlight: Set<Exchange>
  classify(error: Error, sent: boolean, method: string, answering?: boolean): DbError
  unreadable(thrown: unknown, method: string): DbError
  answering(): void
  /** The answer is here and has still to be decoded. */
  arrived(status: number): void
  answered(method: string, status: number, headers: RawHeaders, code: string): void
}

const mostLoose = 1_024

/** In bytes; to copy more costs longer than its object weighs. */
const small = 4_096

const joined = (chunks: ReadonlyArray<Buffer>, length: number): Buffer =>
  chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length)

const lengthOf = (chunks: ReadonlyArray<Buffer>): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0)

/** That says nothing of a question that is long. */
const metBodyOfHead = (failure: DbError): boolean =>
  failure._tag === "ConnectionFailed" && failure.code === bodyAfterHead

/** A request under way. */
export class Exchange extends Deadline implements Dispatcher.DispatchHandler, UnderWay {
  sent = false
  settled = false
  /** When it left, on the pool's clock; undefined before. */
  sentAt: number | undefined = undefined
  /** Why there is no answer. */
  failure: DbError | undefined = undefined
  private abort: ((error?: Error) => void) | undefined = undefined
  private thrown: Error | undefined = undefined
  private status = 0
  private statusText = ""
  private headers: RawHeaders = []
  private chunks: Array<Buffer> = []
  /** Bytes in them. */
  private length = 0
  /** How many of the last ones are small, and as they came. */
  private loose = 0
  private readonly owner: Owner
  private readonly url: string
  readonly method: string
  /** Keys are in them: out of reach of whoever prints this. */
  readonly #sentHeaders: PlainHeaders
  private readonly tenure: Tenure
  private readonly resolve: (response: Response) => void
  private readonly reject: (error: unknown) => void

  constructor(owner: Owner, url: string, { headers, method, tenure }: PlainRequest, { reject, resolve }: Settle) {
    super()
    this.owner = owner
    this.url = url
    this.method = method
    this.#sentHeaders = headers
    this.tenure = tenure
    this.resolve = resolve
    this.reject = reject
  }

  get onExpire(): Effect.Effect<void> {
    return Effect.sync(() => {
      const { requestTimeout, target } = this.owner.options
      const { method, sent } = this
      this.cancel(new RequestTimeout({ pool: target.mode, timeout: requestTimeout, sent, method }))
    })
  }

  /**
   * Ends it now: the caller is told why (by `thrown`, where `fetch` has a way of its own to say it), and the socket, on
   * which the answer may still be coming, is closed.
   */
  cancel(failure: DbError, thrown: Error = failure): void {
    if (this.settled) return
    this.thrown = thrown
    this.fail(failure, thrown)
    this.abort?.(thrown)
  }

  private fail(failure: DbError, thrown: Error): void {
    this.finish()
    this.failure = failure
    this.tenure.fails(failure, thrown, this.sent && !reads(this.method))
    this.reject(thrown)
  }

  private finish(): void {
    this.settled = true
    this.chunks = []
    this.owner.inFlight.delete(this)
    this.owner.options.deadlines.remove(this)
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.settled) {
      abort(this.thrown)
      return
    }
    this.abort = abort
    this.sent = true
    // From now: several requests of one operation share a socket, and each has its own time.
    const { deadlines } = this.owner.options
    this.sentAt = deadlines.now()
    deadlines.add(this, this.sentAt)
  }

  onHeaders(status: number, headers: Array<Buffer>, _resume: () => void, statusText: string): boolean {
    if (status < 200) return this.informed(status)
    this.status = status
    this.statusText = statusText
    this.headers = headers
    this.owner.answering()
    if (this.method !== "HEAD") this.bounded(Number(headerOf(headers, "content-length") ?? 0))
    return true
  }

  /** RFC 9110 §15.2: the answer is still to come. 101 would be the last of HTTP, and nobody asked for that. */
  private informed(status: number): boolean {
    if (status === 101) this.cancel(this.owner.classify(new Unasked(), true, this.method))
    return !this.settled
  }

  onData(chunk: Buffer): boolean {
    if (this.settled) return false
    this.length += chunk.length
    if (this.bounded(this.length)) this.keep(chunk)
    return true
  }

  /** Chunks may be of one byte, and each is an object that weighs a hundred times that. */
  private keep(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.loose = chunk.length < small ? this.loose + 1 : 0
    if (this.loose < mostLoose) return
    this.chunks.push(Buffer.concat(this.chunks.splice(-mostLoose)))
    this.loose = 0
  }

  private bounded(length: number): boolean {
    const { maxAnswer } = this.owner.options
    if (length > maxAnswer && !this.settled) {
      const failure = tooLarge(this.status, maxAnswer, this.method)
      this.unread(failure)
      this.abort?.(failure)
    }
    return !this.settled
  }

  /** Nobody can have the rows of a success that cannot be read. An error is what its status and its head say. */
  private unread(failure: QueryError): void {
    if (this.status < 300) this.fail(failure, failure)
    else this.readably(() => this.answer(withoutCoding(this.headers), Buffer.alloc(0), failure))
  }

  /** What is thrown in here undici takes for an end that the caller knows of. */
  onComplete(): void {
    if (this.settled) return
    this.readably(() => this.complete())
  }

  private readably(read: () => void): void {
    try {
      read()
    } catch (thrown) {
      const failure = this.owner.unreadable(thrown, this.method)
      this.fail(failure, failure)
    }
  }

  private complete(): void {
    const { chunks, headers, length } = this
    if (length === 0 || headerOf(headers, "content-encoding") === null)
      this.answer(headers, this.bodyOf(chunks, length))
    else this.decoded(joined(chunks, length))
  }

  private bodyOf(chunks: Array<Buffer>, length: number): Buffer | LargeBody {
    const isLarge = this.status < 300 && LargeBody.holds(chunks, length)
    return isLarge ? new LargeBody(chunks, length, this.tenure) : joined(chunks, length)
  }

  /** The socket has done its part; whatever comes of it, it stays open. */
  private decoded(body: Buffer): void {
    const { headers, method, status } = this
    this.owner.arrived(status)
    const answered = { method, status, headers: this.#sentHeaders, limit: this.owner.options.maxAnswer }
    decodeBody(allOf(headers, "content-encoding") ?? "", body, answered, (read) => {
      if (this.settled) return
      if (read instanceof Error) this.unread(read)
      else this.readably(() => this.answer(withoutCoding(headers), this.bodyOf([...read], lengthOf(read))))
    })
  }

  private answer(headers: RawHeaders, body: Buffer | LargeBody, unread?: QueryError): void {
    const { method, status, statusText, url } = this
    const said = status < 300 || body instanceof LargeBody ? undefined : this.heard(body, unread)
    // Whoever wants it as it came has our words, too: there is nothing else to have.
    const came = method === "HEAD" ? null : body
    const words = unread === undefined ? came : Buffer.from(said?.words ?? "")
    const response = new LeanResponse({ url, status, statusText, headers, body: words, instead: said?.instead })
    if (status < 300) {
      const { answered } = this.owner.options
      answered.longest = Math.max(answered.longest, url.length)
      this.tenure.succeeds(method, status, response.headers, came instanceof LargeBody ? null : came)
    }
    this.finish()
    this.owner.answered(method, status, headers, said?.code ?? "")
    this.resolve(response)
  }

  private heard(body: Buffers.Buffer, unread: QueryError | undefined): Said {
    const { headers, method, status, url } = this
    const header = (name: string): string | null => headerOf(headers, name)
    return this.tenure.hears({ method, url, status, header, text: () => beginning(body), unread })
  }

  onError(error: Error): void {
    if (this.settled) return
    const { length } = this.url
    const said = this.owner.classify(error, this.sent, this.method, this.status !== 0)
    const mayBeTooLong = length >= longQuestion && length > this.owner.options.answered.longest
    const isCutOff = this.sent && this.status === 0 && mayBeTooLong && !metBodyOfHead(said)
    const failure = isCutOff ? cutOff(length, this.method) : said
    this.fail(failure, failure)
  }
}
