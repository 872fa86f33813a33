import type { Ask } from "./ask.js"
import { maxRows, type Question } from "./reading.js"
import { Refusal, refuse } from "./refusal.js"
import type { Row } from "./statement.js"

export const rangeOf = (offset: number, page: number, total: number | undefined): string =>
  `${page === 0 ? "*" : `${offset}-${offset + page - 1}`}/${total ?? "*"}`

/** What a function set for the whole answer (`response.headers`, `response.status`). */
const withSettings = (row: Row, status: number, headers: Headers): number => {
  if (row.headers !== null) {
    const listed = guarded(row.headers)
    if (!Array.isArray(listed)) return badHeaders()
    for (const one of listed) {
      const entries: ReadonlyArray<readonly [string, unknown]> =
        typeof one === "object" && one !== null ? Object.entries(one) : []
      for (const [name, value] of entries) headers.set(name, typeof value === "string" ? value : badHeaders())
    }
  }
  if (row.status === null) return status
  return /^[2-5]\d\d$/.test(row.status)
    ? Number(row.status)
    : refuse(500, "PGRST112", "response.status GUC must be a valid status code")
}

const badHeaders = (): never =>
  refuse(
    500,
    "PGRST111",
    "response.headers GUC must be a JSON array composed of objects with a single key and a string value"
  )

const guarded = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return badHeaders()
  }
}

export const answered = (
  ask: Ask,
  row: Row,
  status: number,
  body: string | null,
  given: Readonly<Record<string, string>>
): Response => {
  const headers = new Headers(given)
  if (ask.preferences.applied !== "") headers.set("Preference-Applied", ask.preferences.applied)
  const wanted = withSettings(row, status, headers)
  const none = ask.method === "HEAD" || wanted === 204 || wanted === 304
  if (body !== null && !none) headers.set("Content-Length", String(Buffer.byteLength(body)))
  return new Response(none ? null : body, { status: wanted, headers })
}

export const oneRow = (ask: Ask, row: Row): void => {
  if (!ask.format.single || row.page === 1) return
  refuse(406, "PGRST116", "Cannot coerce the result to a single JSON object", `The result contains ${row.page} rows`)
}

export const withinBound = ({ preferences: { maxAffected } }: Ask, row: Row): void => {
  if (maxAffected === undefined || row.page <= maxAffected) return
  refuse(
    400,
    "PGRST124",
    "Query result exceeds max-affected preference constraint",
    `The query affects ${row.page} rows`
  )
}

/** `Range: 0-9`, where no limit or offset says otherwise. */
export const ranged = (ask: Ask, question: Question): Question => {
  const range = /^(\d+)-(\d*)$/.exec(ask.request.headers.get("range") ?? "")
  const limit = Math.min(question.limit ?? maxRows, maxRows)
  if (range === null || question.limit !== undefined || question.offset !== undefined) return { ...question, limit }
  const from = Number(range[1])
  const to = range[2] === "" ? undefined : Number(range[2])
  if (to !== undefined && to < from) {
    refuse(
      416,
      "PGRST103",
      "Requested range not satisfiable",
      "The lower boundary must be lower than or equal to the upper boundary in the Range header."
    )
  }
  return { ...question, offset: from, limit: to === undefined ? limit : Math.min(limit, to - from + 1) }
}

export const pageAnswer = (ask: Ask, row: Row, question: Question, path: string): Response => {
  oneRow(ask, row)
  const offset = question.offset ?? 0
  if (row.total !== undefined && offset > row.total) {
    throw new Refusal({
      status: 416,
      code: "PGRST103",
      message: "Requested range not satisfiable",
      details: `An offset of ${offset} was requested, but there are only ${row.total} rows.`,
      hint: null,
      headers: { "Content-Range": `*/${row.total}` }
    })
  }
  const whole = row.total === undefined || row.page === row.total
  return answered(ask, row, whole ? 200 : 206, row.body, {
    "Content-Type": ask.format.type,
    "Content-Range": rangeOf(offset, row.page, row.total),
    ...(ask.method === "POST" ? {} : { "Content-Location": `${path}${ask.url.search}` })
  })
}
