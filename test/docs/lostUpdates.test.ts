/**
 * What the pages show for reading a value and writing what follows from it loses nobody's update, when many do it at
 * once.
 */
import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { root, runCode } from "../support/program.js"

/** The block of TypeScript that exports this name. */
const block = (page: string, name: string): Effect.Effect<string> =>
  Effect.promise(() => readFile(`${root}docs/${page}`, "utf8")).pipe(
    Effect.map(
      (text) =>
        [...text.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```$/gm)]
          .map(([, code]) => code ?? "")
          .find((code) => code.includes(`export const ${name} =`)) ?? ""
    )
  )

/**
 * Eight at once. Two give up where somebody else was faster, six begin again. The database is one of its own, since
 * other tests count on the shared one's prices.
 */
const contended = `
import { NodeRuntime } from "@effect/platform-node"
import { Console, Layer } from "effect"
import { Config as PoolConfig } from "effect-supabase-pool"
import { Embedded } from "effect-supabase-pool/embedded"

const again = Effect.retry(discount, { while: (error) => error._tag === "RowNotFound" })

const program = Effect.gen(function* () {
  const tried = yield* Effect.all(
    [...Array.from({ length: 2 }, () => discount), ...Array.from({ length: 6 }, () => again)].map(Effect.either),
    { concurrency: "unbounded" }
  )
  const refused = tried.flatMap((one) => (one._tag === "Left" ? [one.left._tag] : []))
  const [after] = yield* cheapest
  yield* Console.log(JSON.stringify({ refused, price: after?.price }))
})

const database = Embedded.layerOf({
  migrations: [
    "create table products (id uuid primary key, price numeric not null)",
    "grant all on products to anon, service_role",
    "insert into products values ('30000000-0000-4000-8000-000000000001', 100)"
  ]
})

program.pipe(
  Effect.provide(Db.layer.pipe(Layer.provide([database, PoolConfig.PoolConfig.layer]))),
  NodeRuntime.runMain
)
`

const Printed = Schema.parseJson(Schema.Struct({ refused: Schema.Array(Schema.String), price: Schema.Number }))

describe("the pages' ways to read and decide", () => {
  it.scopedLive(
    "discount of getting-started loses no update of eight at once",
    () =>
      Effect.gen(function* () {
        const code = yield* block("getting-started.md", "discount")
        assert.include(code, "RowNotFound")
        const { failed, output } = yield* runCode(code + contended)
        assert.isFalse(failed, output)
        const line = output.split("\n").find((text) => text.startsWith("{")) ?? ""
        const { price, refused } = yield* Schema.decode(Printed)(line)
        assert.isAbove(refused.length, 0, "they did not meet")
        assert.isTrue(refused.every((tag) => tag === "RowNotFound"))
        assert.closeTo(price, 100 * 0.9 ** (8 - refused.length), 1e-6, output)
      }),
    60_000
  )
})
