/**
 * What is known of a connection's requests while one borrower has it. Each borrower gets a new one, so that what ends late
 * is written down with whom it belongs to. The same over a socket as over a user's handler.
 */
import type { DbError, QueryError } from "../../Errors.js"
import { endingOf, isAnswer } from "../errors/errorCodes.js"
import { type Said, saidOf } from "./errorBody.js"
import { lastPart, reads } from "./fetchInput.js"

export interface ErrorAnswer {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly header: (name: string) => string | null
  /** Its beginning: a page of a gateway may be of any length. */
  readonly text: () => string
  /** Why its body cannot be read, where it cannot; its text is empty then. */
  readonly unread?: QueryError | undefined
}

/** The head of an answer. */
export interface AnswerHead {
  get(name: string): string | null
}

/** An operation has few requests; of its last errors so many are remembered, and of its last failures. */
const mostHeard = 8

/** As much of an answer as is remembered. */
export interface RememberedAnswer {
  readonly status: number
  /** Method of its request. */
  readonly answered: string
  readonly retryAfter: string | null
  /** What it says, where it is an error. */
  readonly said: Said | undefined
}

/** An answer that is an error. */
export interface RememberedError extends RememberedAnswer {
  readonly url: string
  readonly said: Said
}

/** A request that had no answer. */
export interface RememberedFailure {
  readonly failure: DbError
  /** What `fetch` rejected with: for an aborted request the platform's own error. */
  readonly rejection: unknown
}

/** Longer ones are kept only where nothing could take them for the rows of a table. */
const longestPage = 65_536

const openingBracket = new Set(["[".charCodeAt(0), "{".charCodeAt(0)])

const remember = <A>(all: Array<A>, one: A): void => {
  if (all.push(one) > mostHeard) all.shift()
}

export class Tenure {
  /** The last failure that was not an HTTP answer: the PostgREST builder keeps only its words. */
  failure: DbError | undefined = undefined
  /** The last failures: any of them may be thrown on. */
  readonly failures: Array<RememberedFailure> = []
  /** `Retry-After` of the last answer that was an error: the builder drops it. */
  retryAfter: string | null = null
  /** Status of the last answer; 0 before one came. */
  status = 0
  /** Method of the last answer's request. */
  answered = ""
  /** What the last answer said, where it was an error. */
  said: Said | undefined = undefined
  /** The last answers that were errors: any of them may be thrown on, also after a later one that is none. */
  readonly heard: Array<RememberedError> = []
  /** Status of the last answer that was no error; 0 where there was none. */
  good = 0
  /** Method of its request. */
  goodMethod = ""
  /** Its body, where that may be a page: a builder makes an error of a 2xx that is no JSON. */
  private page: Uint8Array | undefined = undefined
  /** Requests that may have changed something: a write after which a repetition would do it twice. */
  writes = 0
  /** Its borrower has gone. */
  isOver = false
  /** The builder said that it must not be repeated (`.retry(false)`). */
  once = false
  /** Whoever asks wants to know which rows came: nobody else pays for looking. */
  wantsPlace = false
  /** Numbers that JavaScript would round are to come as texts. */
  exact = false
  /** Whether what is rounded is written down, which costs a look at each answer. */
  notices = false
  /** What was rounded: table or function, and the name of the value. */
  rounded: Set<string> | undefined = undefined
  /** `Content-Range` of the last answer that was no error, where it was wanted. */
  contentRange: string | null = null
  /** `Preference-Applied` of the same. */
  applied: string | null = null
  /** Header of each request; empty for none. */
  traceparent = ""
  /** The first request; empty before there was one. With the query, without the origin. */
  method = ""
  path = ""
  /** How many there were. */
  requests = 0

  asks(method: string, path: string): void {
    if (this.requests === 0) {
      this.method = method
      this.path = path
    }
    this.requests += 1
  }

  /** `writes`: whether it has left, and may change something. */
  fails(failure: DbError, thrown: unknown, writes: boolean): void {
    if (writes) this.writes += 1
    this.refuses(failure, thrown)
  }

  /** What was not sent. */
  refuses(failure: DbError, thrown: unknown = failure): void {
    this.failure = failure
    remember(this.failures, { failure, rejection: thrown })
  }

  /** An answer that is no error. */
  succeeds(method: string, status: number, headers: AnswerHead, body: Uint8Array | null): void {
    this.status = status
    this.good = status
    this.goodMethod = method
    this.page = body === null || (body.length > longestPage && openingBracket.has(body[0] ?? 0)) ? undefined : body
    if (this.wantsPlace) {
      this.contentRange = headers.get("content-range")
      this.applied = headers.get("preference-applied")
    }
    this.answered = method
    this.retryAfter = null
    this.said = undefined
    if (!reads(method)) this.writes += 1
  }

  /** What an answer says that is an error (no 2xx). */
  hears({ header, method, status, text, unread, url }: ErrorAnswer): Said {
    this.status = status
    this.answered = method
    this.retryAfter = status >= 400 ? header("retry-after") : null
    // A builder is told the text without its byte order mark.
    const body = text().replace(/^\uFEFF/, "")
    const said = saidOf({ method, url, status, header, body, unread })
    this.said = said
    remember(this.heard, { status, answered: method, retryAfter: this.retryAfter, said, url })
    if (!reads(method) && endingOf({ status, method, ...said }).mayHaveExecuted) this.writes += 1
    return said
  }

  /** Whether this is the text of the last answer that was no error. */
  isPage(text: string): boolean {
    return this.page !== undefined && text !== "" && new TextDecoder().decode(this.page) === text
  }

  /** JavaScript will round the values of these names in an answer. */
  rounds(path: string, names: ReadonlySet<string>): void {
    this.rounded ??= new Set()
    const from = lastPart(path)
    for (const name of names) this.rounded.add(`${from}.${name}`)
  }

  /** A large answer that is no JSON, whose words these are. */
  breaks(words: string): void {
    this.page = new TextEncoder().encode(words)
  }

  /** Whether whoever does the work has answered any of it, and no gateway in its place; undefined where nothing was asked. */
  get wasAnswered(): boolean | undefined {
    if (this.good > 0) return true
    if (this.heard.some(({ said, status }) => isAnswer({ ...said, status }))) return true
    return this.requests > 0 ? false : undefined
  }

  /** Its borrower has what it wanted. */
  ends(): void {
    this.page = undefined
    this.isOver = true
  }
}
