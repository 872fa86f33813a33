/**
 * Half characters in what a builder writes into its address. A URL makes U+FFFD of them in silence, so they are marked
 * where they can still be seen, and refused with whatever else cannot be sent when the request is about to leave.
 */

import { half, halves, nul, unsendable } from "../shared/jsonable.js"
import { following } from "./builderFields.js"

/** In place of half a character: a NUL, which nothing that is sent has, and what a URL makes of the half. */
const mark = "\0\ufffd"

/** The mark as it stands in an address. */
export const markInAddress = "%00%EF%BF%BD"

/** `contains` and `containedBy` write objects as JSON, in which both stand in code. */
const asJson = /^(?:not\.)?c[sd]\.([[{][\s\S]*)$/

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** An array of PostgreSQL is no JSON, and a backslash in it is a backslash. */
const inJson = (text: string): string => {
  const [, json] = asJson.exec(text) ?? []
  const found = json === undefined ? undefined : unsendable(parsed(json))
  if (found === undefined) return text
  return found.issue === nul ? "\0" : mark
}

const marked = (text: string): string => {
  if (typeof text !== "string") return text
  if (half.test(text)) return text.replace(halves, mark)
  return text.includes("\\u") ? inJson(text) : text
}

/** A URL drops these in silence, so that another name would be left: line breaks and tabs anywhere, what is blank at its end. */
const dropped = /\p{Cc}| +$/u

const everyDropped = /\p{Cc}| +$/gu

/** Of a table or function, as it stands in the path. A name that is blank is supabase-js's to refuse. */
const markedName = (name: string): string => {
  const whole = marked(name)
  return dropped.test(whole) && whole.trim() !== "" ? whole.replace(everyDropped, encodeURIComponent) : whole
}

const { append, set } = URLSearchParams.prototype

function appendMarked(this: URLSearchParams, name: string, value: string): void {
  append.call(this, marked(name), marked(value))
}

function setMarked(this: URLSearchParams, name: string, value: string): void {
  set.call(this, marked(name), marked(value))
}

const marking = (builder: object): void => {
  if ("url" in builder && builder.url instanceof URL) {
    const { searchParams } = builder.url
    searchParams.append = appendMarked
    searchParams.set = setMarked
  }
}

/** What supabase-js begins each of a table's requests with: an address of its own. */
const clone = "cloneRequestState"

function cloneMarking(this: object): unknown {
  const own: unknown = Reflect.get(Object.getPrototypeOf(this), clone)
  const state: unknown = typeof own === "function" ? Reflect.apply(own, this, []) : undefined
  if (typeof state === "object" && state !== null) marking(state)
  return state
}

/** What `of` makes of the name that a method is called with. */
const ofName =
  (of: (name: string) => string) =>
  (name: unknown): unknown =>
    typeof name === "string" ? of(name) : name

/** The builders of a `PostgrestClient` mark half characters in names of tables and functions, and in all of the query. */
export const markHalves = (rest: object): void => {
  const inName = ofName(markedName)
  following(
    rest,
    "from",
    (query) => {
      if (clone in query) Reflect.set(query, clone, cloneMarking)
    },
    inName
  )
  following(rest, "rpc", marking, inName)
  following(rest, "schema", markHalves, ofName(marked))
}
