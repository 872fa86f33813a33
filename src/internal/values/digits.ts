/**
 * Numbers in JSON that JavaScript would round: `JSON.parse` makes the nearest double of each, and says nothing. They are found
 * in the text, before it is parsed, since only Node 22 tells a reviver what a number was written as.
 */

const quote = 0x22
const backslash = 0x5c
const minus = 0x2d
const colon = 0x3a

/** So many digits any double has. */
const safeDigits = 15

const written = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i

/** The same text for the same number, however it is written. */
const normal = (text: string): string => {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = written.exec(text) ?? []
  const all = `${whole}${fraction}`.replace(/^0+/, "")
  const digits = all.replace(/0+$/, "")
  if (digits === "") return "0"
  return `${sign}${digits}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - digits.length)}`
}

/** Whether JavaScript has another number in place of this one. */
export const isRounded = (text: string): boolean => {
  if (text.length <= safeDigits && !/e/i.test(text)) return false
  const number = Number(text)
  return !Number.isFinite(number) || normal(String(number)) !== normal(text)
}

/** Behind the quote that ends it. */
const endOfText = (json: string, start: number): number => {
  let end = json.indexOf('"', start + 1)
  while (end !== -1) {
    let before = end - 1
    while (json.charCodeAt(before) === backslash) before -= 1
    if ((end - before) % 2 === 1) return end + 1
    end = json.indexOf('"', end + 1)
  }
  return json.length
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

/** Digits, point, exponent and signs. */
const isOfNumber = (code: number): boolean =>
  isDigit(code) || code === 0x2e || code === minus || code === 0x2b || (code | 0x20) === 0x65

/** Each number that JavaScript would round, with the name that stands before it. */
const eachRounded = (json: string, found: (start: number, end: number, name: string) => void): void => {
  let name = ""
  let at = 0
  while (at < json.length) {
    const code = json.charCodeAt(at)
    if (code === quote) {
      const end = endOfText(json, at)
      if (json.charCodeAt(end) === colon) name = json.slice(at + 1, end - 1)
      at = end
    } else if (isDigit(code) || code === minus) {
      let end = at + 1
      while (isOfNumber(json.charCodeAt(end))) end += 1
      if (isRounded(json.slice(at, end))) found(at, end, name)
      at = end
    } else {
      at += 1
    }
  }
}

/** What has no such number in it, as nearly every answer, costs this one look: digits in a row, or an exponent. */
const mayBeRounded = (json: string): boolean => /[\d.]{16}|\d[eE][+-]?\d{2}/.test(json)

/** With each of these numbers as a text. */
export const withDigits = (json: string): string => {
  if (!mayBeRounded(json)) return json
  const parts: Array<string> = []
  let done = 0
  eachRounded(json, (start, end) => {
    parts.push(json.slice(done, start), '"', json.slice(start, end), '"')
    done = end
  })
  return done === 0 ? json : parts.join("") + json.slice(done)
}

/** The names that these numbers stand behind. */
export const roundedNames = (json: string): ReadonlySet<string> => {
  const names: Set<string> = new Set()
  if (mayBeRounded(json)) eachRounded(json, (_start, _end, name) => names.add(name))
  return names
}
