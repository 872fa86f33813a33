/** The body of an answer as it was before it was encoded, or why nobody can read it: the same from a socket as from a handler. */
import type * as Buffers from "node:buffer"
import type { QueryError } from "../../Errors.js"
import { decode } from "./contentCoding.js"
import { type BodyContext, tooLarge, undecoded } from "./fetchErrors.js"

/** Gives the chunks of the body. `coding` is the `Content-Encoding`. Calls back before it returns where it is little. */
export const decodeBody = (
  coding: string,
  body: Buffer,
  { headers, limit, method, status }: BodyContext,
  done: (read: ReadonlyArray<Buffer> | QueryError) => void
): void => {
  if (body.length > limit) {
    done(tooLarge(status, limit, method))
    return
  }
  decode(coding, body, limit, (decoded) =>
    done("why" in decoded ? undecoded(decoded, { status, limit, method, headers }) : decoded)
  )
}

/** A gateway's page may be of any length. */
const longestError = 65_536

export const beginning = (body: Buffers.Buffer): string => body.toString("utf8", 0, longestError)
