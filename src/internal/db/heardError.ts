/**
 * What a caller threw, or gave back as an error, found again in what its connection has heard: an answer, a failure, or what a
 * builder makes of them by itself. Whatever is not found is the caller's own, whatever it looks like.
 */
import type { DbError } from "../../Errors.js"
import { parsed, type Said } from "../connection/errorBody.js"
import type { RememberedAnswer, RememberedError, RememberedFailure, Tenure } from "../connection/tenure.js"
import { reasonIn } from "../errors/gatewayText.js"

/** Nobody's own object has so many characters of an answer in it by chance. */
const enough = 1_024

/** Undefined where it is none (circles, a getter that throws). */
const jsonOf = (u: unknown): string | undefined => {
  try {
    return JSON.stringify(u)
  } catch {
    return undefined
  }
}

const withoutSpaces = (json: string): string =>
  json
    .slice(0, 2 * enough)
    .replace(/\s/g, "")
    .slice(0, enough)

/** A body that is cut is no JSON any more; its beginning is the same. */
const isCutOf = (json: string, words: string): boolean =>
  words.length > enough && withoutSpaces(json) === withoutSpaces(words)

const field = (u: unknown, name: string): unknown =>
  (typeof u === "object" && u !== null) || typeof u === "function" ? Reflect.get(u, name) : undefined

const messageOf = (thrown: object): string => {
  const message = field(thrown, "message")
  return typeof message === "string" ? message : ""
}

/** A code of its own makes it an error of its own. */
const hasOtherCode = (thrown: object, code: string): boolean => {
  const own = field(thrown, "code")
  return own !== undefined && own !== null && own !== "" && own !== code
}

/** What is no JSON a builder gives on as a message. Of a long one `words` is the beginning. */
const isItsMessage = (thrown: object, { code, reason, words }: Said): boolean => {
  const message = messageOf(thrown)
  if (message === "" || hasOtherCode(thrown, code)) return false
  return message === reason || (words.length > enough && message.startsWith(words))
}

const errorFields = ["code", "details", "hint"] as const

/** What a builder throws has of the body's members those that PostgREST's errors have. */
const isMadeOf = (thrown: Error, words: string): boolean => {
  const json = parsed(words)
  if (json === undefined) return words.length > enough && words.includes(JSON.stringify(thrown.message).slice(1, -1))
  const message = field(json, "message")
  if (thrown.message !== (message === undefined ? "" : String(message))) return false
  return errorFields.every((name) => jsonOf(field(thrown, name)) === jsonOf(field(json, name)))
}

export const isOfAnswer = (thrown: object, said: Said): boolean => {
  if (isItsMessage(thrown, said)) return true
  // One of the caller's own is `{}` in JSON, as some bodies are.
  if (thrown instanceof Error) return thrown.name === "PostgrestError" && isMadeOf(thrown, said.words)
  const json = jsonOf(thrown)
  if (json === undefined) return false
  return json === jsonOf(parsed(said.words)) || isCutOf(json, said.words)
}

/** What calls a function at the edge has the answer itself in its error. One that a handler made has no address. */
const isAnswerIn = (thrown: object, { status, url }: RememberedError): boolean => {
  const answer = field(thrown, "context")
  const from = field(answer, "url")
  return field(answer, "status") === status && (from === url || from === "")
}

/** What storage and functions at the edge make of a failure has it in one of these. */
const holders = ["context", "originalError"] as const

/** A builder makes `Name: words` of what `fetch` rejected with, and no code. */
const isFailure = (thrown: object, { rejection }: RememberedFailure): boolean => {
  if (typeof rejection !== "object" || rejection === null) return false
  if (thrown === rejection || holders.some((name) => field(thrown, name) === rejection)) return true
  if (hasOtherCode(thrown, "")) return false
  const words = messageOf(rejection)
  const message = messageOf(thrown)
  return message !== "" && (message === words || message === `${field(rejection, "name")}: ${words}`)
}

/** What a builder makes where it could not ask at all: of what was thrown, the words and the stack, which begins with them. */
const isNeverAsked = (thrown: object): boolean => {
  const message = messageOf(thrown)
  const details = field(thrown, "details")
  if (field(thrown, "code") !== "" || typeof field(thrown, "hint") !== "string" || !/^\w+: /.test(message)) return false
  return !(thrown instanceof Error) && typeof details === "string" && details.startsWith(message)
}

/** PostgREST: "JSON object requested, multiple (or no) rows returned". */
export const notOneRow = "PGRST116"

/** `maybeSingle()` counts the rows of a good answer itself. */
const isTooMany = (thrown: object): boolean => {
  const details = field(thrown, "details")
  return (
    field(thrown, "code") === notOneRow &&
    typeof details === "string" &&
    /^Results contain \d+ rows, application\/vnd\.pgrst\.object\+json requires 1 row$/.test(details)
  )
}

export type Found =
  /** What it says, in whatever form: the answer that it is of, where there was one. */
  | { readonly _tag: "Answer"; readonly error: object; readonly status: number; readonly of: RememberedAnswer }
  | { readonly _tag: "Failure"; readonly failure: DbError }
  | { readonly _tag: "NeverAsked"; readonly reason: string }

/** With the code of the answer where only its words were thrown on. */
const withCode = (thrown: object, { said: { code } }: RememberedError): object => {
  const message = reasonIn(thrown)
  if ("code" in thrown || message === "") return thrown
  return { message, code, details: field(thrown, "details"), hint: field(thrown, "hint") }
}

const foundIn = (thrown: object, tenure: Tenure): Found | undefined => {
  const failed = tenure.failures.findLast((each) => isFailure(thrown, each))
  if (failed !== undefined) return { _tag: "Failure", failure: failed.failure }
  const of = tenure.heard.findLast((heard) => isOfAnswer(thrown, heard.said) || isAnswerIn(thrown, heard))
  if (of !== undefined) return { _tag: "Answer", error: withCode(thrown, of), status: of.status, of }
  const good = { status: tenure.good, answered: tenure.goodMethod, retryAfter: null, said: undefined }
  if (good.status !== 0) {
    if (isTooMany(thrown)) return { _tag: "Answer", error: thrown, status: 406, of: good }
    if (!hasOtherCode(thrown, "") && tenure.isPage(messageOf(thrown))) {
      return { _tag: "Answer", error: thrown, status: good.status, of: good }
    }
  }
  return isNeverAsked(thrown) ? { _tag: "NeverAsked", reason: messageOf(thrown) } : undefined
}

/** Undefined where it is the caller's own, or cannot be looked into. */
export const found = (thrown: object, tenure: Tenure): Found | undefined => {
  try {
    return foundIn(thrown, tenure)
  } catch {
    return undefined
  }
}
