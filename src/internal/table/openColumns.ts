/** Columns of a table that no schema of ours describes: each name is one, and values go as JSON has them. */
import { Effect } from "effect"
import type { All, Column, Values } from "./column.js"

/** What PostgREST takes for something else than a column's filter. */
const reserved =
  /^(?:select|columns|order|limit|offset|and|or|not|on_conflict)$|\.(?:select|columns|order|limit|offset|and|or|not)$/

const isName = (name: unknown): name is string => typeof name === "string" && name.trim() !== "" && !reserved.test(name)

/** As JSON would write them, but a number that is too large for one is text, which the database casts. */
const plainly = (value: unknown): unknown => {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  return typeof value === "bigint" ? String(value) : value
}

const encode: Column["encode"] = (values) =>
  Effect.succeed(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, plainly(value)])))

const columnOf = (name: string): Column => ({
  name,
  column: name,
  nullable: true,
  made: false,
  encode,
  encodeUnbounded: encode
})

export class OpenColumns implements All {
  /** One object, since the engine knows the key by it. */
  private readonly key: Column

  constructor(key: string) {
    this.key = columnOf(key)
  }

  get(name: string): Column | undefined {
    if (name === this.key.name) return this.key
    return isName(name) ? columnOf(name) : undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  keys(): Iterable<string> {
    return ["every column but what PostgREST has another use for"]
  }

  of(values: Values): Iterable<Column> {
    return Object.keys(values).flatMap((name) => this.get(name) ?? [])
  }
}
