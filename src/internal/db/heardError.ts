/** Whether what was thrown is what a builder made of an answer: known by what the answer said, whatever shape it has. */
import type { Said } from "../connection/errorBody.js"

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

const parsedJson = (body: string): string | undefined => {
  try {
    return jsonOf(JSON.parse(body))
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

/** What is no JSON a builder gives on as a message. */
const isItsMessage = (thrown: object, { reason, words }: Said): boolean =>
  "message" in thrown &&
  typeof thrown.message === "string" &&
  thrown.message !== "" &&
  (thrown.message === reason || thrown.message.startsWith(words))

export const isOfAnswer = (thrown: object, said: Said): boolean => {
  if (isItsMessage(thrown, said)) return true
  // One of the caller's own is `{}` in JSON, as some bodies are.
  if (thrown instanceof Error) return false
  const json = jsonOf(thrown)
  if (json === undefined) return false
  return json === parsedJson(said.words) || isCutOf(json, said.words)
}
