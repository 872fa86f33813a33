/**
 * What an answer that is an error says, and in which words a PostgREST builder is told of it.
 *
 * A builder takes some errors for none: the answer to HEAD has no body, and it makes a success of a 404 without one, or
 * with a list; JSON `null` is "no error" to it, and a redirect an error without words. These are said to it as PostgREST
 * says errors.
 */
import { type AnsweredBy, gaveUp, looksOfDatabase } from "../errors/errorCodes.js"
import { reasonIn } from "../errors/gatewayText.js"
import { oneLine } from "../shared/text.js"
import { reads } from "./fetchInput.js"

export interface Said {
  readonly code: string
  readonly reason: string
  readonly answeredBy: AnsweredBy
  /** The body, as far as it was looked at. */
  readonly words: string
  /** What a builder has to read in its place. */
  readonly instead?: string
}

export interface FailedAnswer {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly header: (name: string) => string | null
  readonly body: string
  /** Why its body cannot be read, where it cannot. */
  readonly unread?: Unread | undefined
}

interface Unread {
  readonly code: string
  readonly reason: string
  readonly hint: string
}

/** What stands in quotes may be anybody's words. */
const quotedText = /"(?:[^"\\]|\\.)*"/g

/**
 * `Proxy-Status: PostgREST; error=PGRST205`: RFC 9209, and the only place where a failed HEAD says why. Each server on the way
 * adds a member of its own, which begins with its name.
 */
const proxyStatus = (value: string | null): string | undefined => {
  const members = value?.replace(quotedText, "").split(",") ?? []
  const own = members.find((member) => /^\s*PostgREST\s*(;|$)/.test(member))
  return own === undefined ? undefined : (/;\s*error=([^;\s]*)/.exec(own)?.[1] ?? "")
}

/** Undefined where it is no JSON. */
export const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

interface Words {
  readonly code: string
  readonly message: string
  readonly details: string | null
  readonly hint: string | null
}

/**
 * By a code that is PostgREST's alone, or in the four words of its errors, all of which are always there. Where the status is
 * one of a gateway that gave up, words alone do not prove that a code which is none of PostgreSQL's was raised in SQL.
 */
const isOfPostgrest = (u: unknown, status: number): boolean => {
  if (typeof u !== "object" || u === null) return false
  const code = wordOf(u, "code")
  if (/^PGRST\w{3}$/.test(code)) return true
  if (!["code", "details", "hint", "message"].every((word) => word in u)) return false
  return code === "" || looksOfDatabase(code) || !gaveUp(status)
}

const wordOf = (u: unknown, name: "code"): string => {
  if (typeof u !== "object" || u === null) return ""
  const word: unknown = Reflect.get(u, name)
  return typeof word === "string" ? word : ""
}

/** Without what stands behind a `?`: the server repeats the question there. Of what is no address nobody knows what is in it. */
export const redirectsTo = (location: string, from: string): string => {
  const url = URL.canParse(location, from) ? new URL(location, from) : undefined
  return url === undefined || !/^https?:$/.test(url.protocol)
    ? "what is no address of HTTP"
    : `${url.origin}${url.pathname}`
}

const redirected = ({ header, url }: FailedAnswer): Words => {
  const location = header("location")
  const to = location === null ? "another address, which it does not name" : redirectsTo(location, url)
  return {
    code: "REDIRECTED",
    message: `the server redirects to ${to}`,
    details: null,
    hint: "Nothing is sent there, since the key would go with it. Set SUPABASE_URL to the address that answers."
  }
}

/** From here on gateways refuse a question (Kong and nginx; Cloudflare and Node from twice as much). */
export const longQuestion = 8_000

export const inParts =
  "Kong and nginx refuse an address from 8 kB on, Cloudflare and Node from 16 kB, PostgREST from 51 kB. Ask in parts, or by a function of the database (rpc sends its arguments in the body)."

/** What its length is, where a server refuses it without a word of its own. */
const tooLong = ({ method, url }: FailedAnswer): Words => ({
  code: "",
  message: `the question is too long: ${method} with an address of ${url.length} characters`,
  details: null,
  hint: inParts
})

const isTooLong = ({ status, url }: FailedAnswer): boolean =>
  status === 414 || ((status === 400 || status === 413 || status === 431) && url.length >= longQuestion)

const reasons: ReadonlyMap<string, string> = new Map(
  Object.entries({
    PGRST202: "the function was not found",
    PGRST205: "the table was not found",
    "42501": "permission denied",
    "42P01": "the table does not exist",
    "42703": "a column does not exist"
  })
)

const silence = ({ method }: Pick<FailedAnswer, "method">): string =>
  method === "HEAD" ? "the answer to HEAD has no words" : "the server gave no reason"

/** What there is to say where the body says nothing. */
const wordless = ({ header, method }: FailedAnswer, code: string): Words => {
  const described = /error_description="([^"]*)"/.exec(header("www-authenticate") ?? "")?.[1]
  const known = described === undefined ? reasons.get(code) : oneLine(described)
  return {
    code,
    message: known ?? silence({ method }),
    details: null,
    hint: known === undefined && method === "HEAD" ? "The same as a GET says why." : null
  }
}

const isRedirect = (status: number): boolean => status > 300 && status < 400 && status !== 304

const said = (words: Words, answeredBy: Said["answeredBy"]): Said => {
  const instead = JSON.stringify(words)
  return { code: words.code, reason: words.message, answeredBy, words: instead, instead }
}

/**
 * A function may set the status itself (`response.status`), and commits: then the answer is no error of PostgREST's and has
 * what all its answers to functions have.
 */
const isSetBySql = ({ header, method, url }: FailedAnswer): boolean =>
  !reads(method) && url.includes("/rest/v1/rpc/") && header("content-range") !== null

const answeredBy = (answer: FailedAnswer, proxied: string | undefined, json: unknown): AnsweredBy => {
  if (proxied !== undefined || isOfPostgrest(json, answer.status)) return "PostgREST"
  return isSetBySql(answer) ? "function" : "gateway"
}

/** What its head says comes first; a code of PostgREST's, also one that is empty, says how it ended. */
const unreadWords = (answer: FailedAnswer, unread: Unread, proxied: string | undefined): Words => {
  const { code, hint, message } = wordless(answer, proxied ?? "")
  const isKnown = message !== silence(answer)
  return {
    code: proxied === undefined ? unread.code : code,
    message: isKnown ? `${message}; ${unread.reason}` : unread.reason,
    details: null,
    // That the project is paused is all that there is to say.
    hint: answer.status === 540 ? hint : unread.hint
  }
}

/** Of an answer that is no 2xx. */
export const saidOf = (answer: FailedAnswer): Said => {
  const json = answer.method === "HEAD" ? undefined : parsed(answer.body)
  const proxied = proxyStatus(answer.header("proxy-status"))
  return wordsOf(answer, json, proxied, answeredBy(answer, proxied, json))
}

const wordsOf = (answer: FailedAnswer, json: unknown, proxied: string | undefined, answeredBy: AnsweredBy): Said => {
  const { body, method, status } = answer
  if (isRedirect(status) && answeredBy === "gateway") return said(redirected(answer), answeredBy)
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    return { code: wordOf(json, "code"), reason: reasonIn(json), answeredBy, words: body }
  }
  if (proxied === undefined && isTooLong(answer)) return said(tooLong(answer), answeredBy)
  if (answer.unread !== undefined) return said(unreadWords(answer, answer.unread, proxied), answeredBy)
  // A builder makes the text itself the message of what is no JSON.
  if (method !== "HEAD" && body.trim() !== "" && json === undefined) {
    return { code: proxied ?? "", reason: body, answeredBy, words: body }
  }
  const words = wordless(answer, proxied ?? "")
  // Lost at COMMIT: that the code is empty is what it says.
  return said(proxied === "" && !reads(method) ? { ...words, message: "" } : words, answeredBy)
}
