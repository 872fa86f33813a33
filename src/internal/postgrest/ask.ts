import type { Caller } from "./caller.js"
import type { Catalog } from "./catalog.js"
import type { Format } from "./format.js"
import { namesOf } from "./grammar.js"
import type { Preferences } from "./preferences.js"
import type { Row } from "./statement.js"

/** One request, read. */
export interface Ask {
  readonly request: Request
  readonly url: URL
  readonly method: string
  readonly caller: Caller
  readonly catalog: Catalog
  readonly preferences: Preferences
  readonly format: Format
  readonly schema: string
  readonly body: string
}

/** What PostgreSQL is asked, and how its one row becomes an answer. */
export interface Plan {
  readonly readOnly: boolean
  readonly sql: string
  readonly answer: (row: Row) => Response
}

export const parametersOf = (url: URL): ReadonlyArray<readonly [string, string]> => [...url.searchParams]

export const namesFrom = (ask: Ask, name: "columns" | "on_conflict"): ReadonlyArray<string> | undefined => {
  const text = ask.url.searchParams.get(name)
  return text === null ? undefined : namesOf(text, name)
}
