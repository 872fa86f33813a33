/**
 * A worker that goes over a large table without holding it in memory: products are streamed page by page, and each batch
 * is written in one transaction under a key of its own. A retry after a lost answer reduces nothing twice, and a second
 * run of the same sale, which finds other prices, is refused.
 *
 *     npx tsx examples/worker/main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Chunk, Config, Console, Effect, Layer, Schema, Stream } from "effect"
import { Db, Config as PoolConfig } from "effect-supabase-pool"
import { Embedded } from "effect-supabase-pool/embedded"

const Product = Schema.Struct({ id: Schema.UUID, price: Schema.Number })
type Product = typeof Product.Type

/** What the sale takes off, and the name under which it happens once. */
const sale = Config.all({
  name: Config.withDefault(Config.string("SALE"), "autumn"),
  percent: Config.withDefault(Config.integer("SALE_PERCENT"), 10)
})

const reduced = (price: number, percent: number): number => Math.round(price * (100 - percent)) / 100

const products: Stream.Stream<Product, Db.RowsError, Db.ReadDb> = Db.table("products", Product).stream({
  orderBy: "id",
  pageSize: 100
})

const reduce = (batch: Chunk.Chunk<Product>, key: string, percent: number) =>
  Effect.as(
    Db.transaction(
      Chunk.toReadonlyArray(batch).map(
        ({ id, price }) =>
          (client) =>
            client
              .from("products")
              .update({ price: reduced(price, percent) })
              .eq("id", id)
      ),
      { idempotencyKey: key }
    ),
    batch.length
  )

const worker = Effect.gen(function* () {
  const { name, percent } = yield* sale
  const changed = yield* products.pipe(
    Stream.grouped(50),
    Stream.zipWithIndex,
    Stream.mapEffect(([batch, index]) => reduce(batch, `sale-${name}-${index}`, percent), { concurrency: 2 }),
    Stream.tap((count) => Effect.logDebug(`${count} prices reduced`)),
    Stream.runSum
  )
  yield* Console.log(`${changed} prices reduced by ${percent} %`)
})

const DbLive = Db.layer.pipe(Layer.provide([Embedded.layer, PoolConfig.PoolConfig.layer]))

worker.pipe(Effect.provide(DbLive), NodeRuntime.runMain)
