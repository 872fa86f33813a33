/**
 * What stands for `src/internal/table/table.ts` in the Promise entry: what a table does is loaded with the first row that is
 * asked for, what is wrong with its options is said at once, and so is a step of a transaction made, whose values are encoded
 * when the transaction is sent.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Columns } from "../../src/internal/table/columns.js"
import type * as Real from "../../src/internal/table/table.js"
import { PlannedStep, type Shape } from "../../src/internal/transaction/planned.js"

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

type Made = Exclude<keyof ReturnType<TableOf>, Member | "name" | "stream">

const steps: ReadonlyArray<Made> = [
  "getStep",
  "listStep",
  "createStep",
  "createManyStep",
  "updateStep",
  "upsertStep",
  "removeStep"
]

const load = Effect.promise(() => import("../../src/internal/table/table.js"))

type Loaded = Readonly<Record<string, (...given: ReadonlyArray<unknown>) => never>>

export const tableOf = (...given: Parameters<TableOf>): unknown => {
  const [, name, schema, { cast = {}, generated = [], key = "id", search = [] } = {}] = given
  const columns = new Columns(name, schema, { cast, generated, key, search })
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
  const planned = steps.map((step) => [
    step,
    (...asked: ReadonlyArray<unknown>) => {
      const real = Effect.map(table, (loaded): Shape => loaded[step]?.(...asked) as never)
      return new PlannedStep({
        table: name,
        plan: Effect.flatMap(real, ({ plan }) => plan),
        decode: (data, stage) => Effect.flatMap(real, ({ decode }) => decode(data, stage)),
        column: (column) => columns.known(column, "a reference").column
      })
    }
  ])
  return { ...Object.fromEntries(late), ...Object.fromEntries(planned), name, stream }
}
