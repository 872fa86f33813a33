/** `createMany` in pieces: what is sent when, in which order rows come back, and what is said of those that were written. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { against, failureOf, json } from "../support/httpServer.js"

const Row = Schema.Struct({ id: Schema.Number, name: Schema.String })

const table = Db.table("rows", Row)

const rowsOf = (count: number) => Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}` }))

const firstOf = (body: Buffer): number => JSON.parse(body.toString())[0].id

const options = { minConnections: 1, maxConnections: 20, maxRetries: 0 }

describe("createMany in pieces", () => {
  it.effect("gives all rows in the order given, whichever piece comes back first", () =>
    against(
      (response, { body }) =>
        setTimeout(() => json(response, JSON.parse(body.toString())), firstOf(body) === 0 ? 30 : 0),
      options
    )((server) =>
      Effect.gen(function* () {
        const rows = rowsOf(23)
        expect(yield* table.createMany(rows, { pieceSize: 5 })).toEqual(rows)
        const sizes = server.seen.map(({ body }) => JSON.parse(body.toString()).length)
        expect(sizes.sort()).toEqual([3, 5, 5, 5, 5])
        expect(yield* table.createMany(rows, { pieceSize: 23 })).toEqual(rows)
        expect(server.seen).toHaveLength(6)
      })
    )
  )

  it.effect("has five under way and no more", () => {
    let underWay = 0
    let most = 0
    return against((response, { body }) => {
      underWay += 1
      most = Math.max(most, underWay)
      setTimeout(() => {
        underWay -= 1
        json(response, JSON.parse(body.toString()))
      }, 20)
    }, options)(() =>
      Effect.gen(function* () {
        yield* table.createMany(rowsOf(40), { pieceSize: 2 })
        expect(most).toBe(5)
      })
    )
  })

  it.effect("says which rows are written where a piece fails, ends what is under way, and begins no other", () =>
    against((response, { body }) => {
      const rows: ReadonlyArray<{ readonly id: number }> = JSON.parse(body.toString())
      const isWrong = rows.some(({ id }) => id === 7)
      const words = { code: "23505", message: "duplicate key value", details: null, hint: null }
      setTimeout(() => (isWrong ? json(response, words, 409) : json(response, rows)), isWrong ? 10 : 50)
    }, options)((server) =>
      Effect.gen(function* () {
        const failure = yield* failureOf(table.createMany(rowsOf(100), { pieceSize: 5 }))
        expect(failure).toMatchObject({
          _tag: "DecodeError",
          stage: "write",
          mayHaveExecuted: true,
          isTransient: false
        })
        expect(failure.message).toContain("rows 5 to 9 failed")
        expect(failure.message).toContain("duplicate key value")
        expect(failure.message).toContain("written are rows 0 to 4, 10 to 14, 15 to 19, 20 to 24")
        expect(server.seen).toHaveLength(5)
      })
    )
  )

  it.effect(
    "fails with the piece's own error where nothing is written, and sends nothing if a row cannot be sent",
    () =>
      against(
        (response) => json(response, { code: "42501", message: "permission denied", details: null, hint: null }, 403),
        options
      )((server) =>
        Effect.gen(function* () {
          expect(yield* failureOf(table.createMany(rowsOf(20), { pieceSize: 5 }))).toMatchObject({
            _tag: "QueryError",
            code: "42501",
            mayHaveExecuted: false
          })
          const asked = server.seen.length
          const rows = [...rowsOf(2_500), { id: 2_500, name: "\ud800" }]
          expect(yield* failureOf(table.createMany(rows, { pieceSize: 100 }))).toMatchObject({
            _tag: "DecodeError",
            id: "2500"
          })
          for (const pieceSize of [0, -1, 1.5, Number.NaN]) {
            expect(yield* failureOf(table.createMany(rowsOf(2), { pieceSize }))).toMatchObject({
              code: "INVALID_REQUEST"
            })
          }
          expect(server.seen).toHaveLength(asked)
        })
      )
  )
})
