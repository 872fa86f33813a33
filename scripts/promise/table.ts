/**
 * What stands for `src/internal/table/table.ts` in the Promise entry: what a table does is loaded with the first row that is
 * asked for, what is wrong with its options is said at once. There are no steps of transactions: none is made of tables there.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Columns } from "../../src/internal/table/columns.js"
import type * as Real from "../../src/internal/table/table.js"

type TableOf = typeof Real.tableOf

type Member = Exclude<keyof ReturnType<TableOf>, "name" | "stream" | `${string}Step`>

const members: ReadonlyArray<Member> = [
  "get",
  "find",
  "getMany",
  "list",
  "search",
  "page",
  "count",
  "create",
  "createMany",
  "update",
  "updateMany",
  "upsert",
  "remove",
  "removeMany"
]

const load = Effect.promise(() => import("../../src/internal/table/table.js"))

type Loaded = Readonly<Record<string, (...given: ReadonlyArray<unknown>) => never>>

export const tableOf = (...given: Parameters<TableOf>): unknown => {
  const [, name, schema, { cast = {}, generated = [], key = "id", search = [] } = {}] = given
  new Columns(name, schema, { cast, generated, key, search })
  let made: unknown
  const table = Effect.suspend(() =>
    made === undefined
      ? Effect.map(load, (real) => {
          made ??= real.tableOf(...given)
          return made as Loaded
        })
      : Effect.succeed(made as Loaded)
  )
  const late = members.map((member) => [
    member,
    (...asked: ReadonlyArray<unknown>) => Effect.flatMap(table, (loaded) => loaded[member]?.(...asked) ?? Effect.void)
  ])
  const stream = (options: unknown) =>
    Stream.unwrap(Effect.map(table, (loaded) => loaded["stream"]?.(options) ?? Stream.empty))
  return { ...Object.fromEntries(late), name, stream }
}
