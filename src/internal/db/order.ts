/**
 * Whether pages can be told apart: without an order, or with one in which rows are alike, PostgreSQL gives the rows of each
 * page as it likes, so that some come twice and others never. It is said in the log, once for each table of a database.
 */
import { Effect } from "effect"
import { orderOf, tableOf } from "../connection/builderFields.js"
import { nameInLog, type SaidOnce } from "../shared/saidOnce.js"
import { oneLine } from "../shared/text.js"

/** What a stream asks for its pages. */
export interface Asking {
  /** Table, view or function. */
  readonly from: string
  /** A function has an order of its own. */
  readonly isFunction: boolean
  /** As it stands in the address; undefined where there is none. */
  readonly order: string | undefined
  /** Names that were said already. */
  readonly said: SaidOnce
}

export const askingOf = (query: object, said: SaidOnce): Asking => ({
  from: tableOf(query),
  isFunction: "url" in query && query.url instanceof URL && /\/rpc\/[^/]*$/.test(query.url.pathname),
  order: orderOf(query),
  said
})

const isPlainName = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name)

/** The columns, or undefined where a row does not show by its names what it is ordered by (JSON, embedded tables). */
const columnsOf = (order: string): ReadonlyArray<string> | undefined => {
  const columns = order.split(",").map((each) => each.split(".", 1).join(""))
  return columns.every(isPlainName) ? columns : undefined
}

const valueIn = (row: unknown, column: string): unknown =>
  typeof row === "object" && row !== null ? Reflect.get(row, column) : undefined

/** By what can be seen of them: a column that was not selected proves nothing. */
const areAlike = (order: string, a: unknown, b: unknown): boolean =>
  columnsOf(order)?.every((column) => {
    const value = valueIn(a, column)
    return value !== undefined && JSON.stringify(value) === JSON.stringify(valueIn(b, column))
  }) === true

const words = ({ from, order }: Asking): string => {
  const name = nameInLog(from)
  const what =
    order === undefined
      ? `The pages of a stream of ${name} have no order`
      : `Two rows of ${name} are alike in ${oneLine(order).slice(0, 200)}, by which its stream is ordered`
  return `${what}: rows can come twice or not at all. Order by something unique, the key last. Said once for ${name}.`
}

/** `last` and `next` are the rows on both sides of the border of two pages. */
export const sayUnordered = (asking: Asking, last: unknown, next: unknown): Effect.Effect<void> => {
  const { from, order, said } = asking
  const isUnordered = order === undefined ? !asking.isFunction : areAlike(order, last, next)
  return isUnordered && said.isNew(from) ? Effect.logWarning(words(asking)) : Effect.void
}
