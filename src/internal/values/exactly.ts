/** Changes the text of an answer so that its numbers keep all digits: a builder reads that text and parses it. */
import { LeanResponse } from "../connection/leanResponse.js"
import { roundedNames, withDigits } from "./digits.js"

const reading = (response: Response, as: (text: string) => string): Response => {
  if (response instanceof LeanResponse) {
    response.textAs = as
    return response
  }
  const text = response.text.bind(response)
  Reflect.defineProperty(response, "text", { value: () => text().then(as), configurable: true, writable: true })
  return response
}

/** Numbers that JavaScript would round are texts. */
export const exactly = (response: Response): Response => reading(response, withDigits)

/** The answer as it is; `found` is told of the names whose numbers JavaScript will round. */
export const noticing = (response: Response, found: (names: ReadonlySet<string>) => void): Response =>
  reading(response, (text) => {
    const names = roundedNames(text)
    if (names.size > 0) found(names)
    return text
  })
