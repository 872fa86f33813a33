import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Ref, Stream } from "effect"
import * as Db from "../src/Db.js"

const rows = Array.from({ length: 25 }, (_, id) => ({ id }))

/** Answers ranges as PostgREST does: `offset` and `limit` in the URL. */
const table = (asked: Ref.Ref<ReadonlyArray<number>>, most = Number.POSITIVE_INFINITY) =>
  Db.layerTest((request) => {
    const { searchParams } = new URL(request.url)
    const offset = Number(searchParams.get("offset") ?? 0)
    const limit = Math.min(most, Number(searchParams.get("limit")))
    return Effect.as(
      Ref.update(asked, (_) => [..._, offset]),
      Response.json(rows.slice(offset, offset + limit))
    )
  })

const all = Db.stream((client) => client.from("numbers").select("id").order("id"), { pageSize: 10 })

const ids = (chunk: Chunk.Chunk<{ readonly id: number }>) => Chunk.toReadonlyArray(chunk).map(({ id }) => id)

describe("Db.stream", () => {
  it.effect("gives every row once, in order", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* Stream.runCollect(all).pipe(Effect.provide(table(asked)))
      assert.deepStrictEqual(
        ids(read),
        rows.map(({ id }) => id)
      )
      assert.deepStrictEqual(yield* Ref.get(asked), [0, 10, 20, 25])
    })
  )

  it.effect("loses nothing to a server that gives fewer rows than were asked for", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* Stream.runCollect(all).pipe(Effect.provide(table(asked, 7)))
      assert.deepStrictEqual(
        ids(read),
        rows.map(({ id }) => id)
      )
    })
  )

  it.effect("asks for a page only when somebody wants it", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const read = yield* all.pipe(Stream.take(12), Stream.runCollect, Effect.provide(table(asked)))
      assert.strictEqual(Chunk.size(read), 12)
      assert.deepStrictEqual(yield* Ref.get(asked), [0, 10])
    })
  )
})
