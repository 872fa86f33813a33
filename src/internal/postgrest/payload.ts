import { notHere, refuse } from "./refusal.js"

/** The JSON of a body. What is stored is its text: numbers keep all their digits. */
export interface Payload {
  /** A JSON array of objects. */
  readonly text: string
  readonly count: number
  /** The names in the first object; all others have the same, unless the caller says which count. */
  readonly names: ReadonlyArray<string>
}

const invalid = (): never => refuse(400, "PGRST102", "Empty or invalid json")

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Half of a surrogate pair is no text, wherever it stands; JavaScript writes it as an escape. */
const hasHalf = (value: unknown): boolean => /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value))

export const jsonOf = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return hasHalf(value) ? invalid() : value
  } catch {
    return invalid()
  }
}

export const bodyText = async (request: Request): Promise<string> => {
  const bytes = await request.arrayBuffer()
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return invalid()
  }
}

export const isJson = (request: Request): boolean => {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "application/json"
  return type === "" || type === "application/json"
}

export const payloadOf = (request: Request, text: string, columns: ReadonlyArray<string> | undefined): Payload => {
  if (!isJson(request)) return notHere(`a body of type ${request.headers.get("content-type")}`)
  const value = jsonOf(text)
  const rows: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  if (!rows.every(isObject)) return invalid()
  const [first] = rows
  const names = columns ?? Object.keys(first ?? {})
  const same = (row: object): boolean =>
    Object.keys(row).length === names.length && names.every((name) => Object.hasOwn(row, name))
  if (columns === undefined && !rows.every(same)) refuse(400, "PGRST102", "All object keys must match")
  return { text: Array.isArray(value) ? text : `[${text}]`, count: rows.length, names }
}
