/** The rate limit counts each caller alone, also where their `get`s could share a request. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc, Schema } from "effect"
import * as Db from "../../src/Db.js"
import * as RateLimit from "../../src/RateLimit.js"

const things = Db.table("things", Schema.Struct({ id: Schema.Number, name: Schema.String }))

const counting = (rateLimit: number) => {
  let sent = 0
  const layer = Db.layerTest(
    (request) => {
      sent += 1
      const asked = new URL(request.url).searchParams.get("id") ?? ""
      return Response.json((asked.match(/\d+/g) ?? []).map((id) => ({ id: Number(id), name: `thing ${id}` })))
    },
    { rateLimit, rateLimitWindow: "1 hour", enableHealthChecks: false }
  )
  return { layer, sent: () => sent }
}

// Names that could be taken for a part of another's key are among them.
const callers = ["mallory", "alice", "bob", "", "anon", "1 a", "7 mallory anon", "__proto__"]

interface Get {
  readonly caller: string
  readonly id: number
}

const get: fc.Arbitrary<Get> = fc.record({ caller: fc.constantFrom(...callers), id: fc.integer({ min: 0, max: 20 }) })

const ways = ["fibers", "batching", "cached"] as const

const ask =
  (way: (typeof ways)[number]) =>
  ({ caller, id }: Get) =>
    things.get(id).pipe(RateLimit.withKey(caller), Effect.withRequestCaching(way === "cached"), Effect.either)

describe("callers whose gets come at the same time", () => {
  it("are each admitted by their own budget, whoever else asks, and see no other's key", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(get, { minLength: 1, maxLength: 12, size: "max" }), {
          minLength: 1,
          maxLength: 8,
          size: "max"
        }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(...ways),
        async (rounds, limit, way) => {
          const { layer, sent } = counting(limit)
          const used = new Map<string, number>()
          let expected = 0
          const program = Effect.forEach(rounds, (round, n) =>
            Effect.gen(function* () {
              // Ids of this round only, so that no cache answers.
              const gets = round.map(({ caller, id }) => ({ caller, id: id + 100 * n }))
              const outcomes = yield* Effect.forEach(gets, ask(way), {
                concurrency: "unbounded",
                batching: way === "batching"
              })
              const admitted = new Map(gets.map(({ caller }) => [caller, (used.get(caller) ?? 0) < limit]))
              for (const [caller, isIn] of admitted) {
                if (isIn) used.set(caller, (used.get(caller) ?? 0) + 1)
                if (isIn) expected += 1
              }
              outcomes.forEach((outcome, index) => {
                const { caller, id } = gets[index] ?? { caller: "", id: -1 }
                if (admitted.get(caller) === true) expect(outcome).toEqual(Either.right({ id, name: `thing ${id}` }))
                else expect(outcome).toMatchObject({ left: { _tag: "RateLimited", key: caller } })
              })
              // A batch of one caller is one request; nobody rides in another's.
              expect(sent()).toBe(expected)
            })
          )
          await Effect.runPromise(Effect.provide(program, layer))
        }
      ),
      { numRuns: 60 }
    ))

  it.effect("count as one operation where they are one caller's, by getMany too", () => {
    const { layer, sent } = counting(2)
    return Effect.gen(function* () {
      const mine = RateLimit.withKey("alice")
      yield* mine(Effect.forEach([1, 2, 3], things.get, { concurrency: "unbounded" }))
      yield* mine(things.getMany([4, 5, 6]))
      expect(sent()).toBe(2)
      expect(yield* Effect.flip(mine(things.getMany([7])))).toMatchObject({ _tag: "RateLimited", key: "alice" })
      expect(yield* RateLimit.withKey("bob")(things.getMany([7, 8]))).toHaveLength(2)
    }).pipe(Effect.provide(layer))
  })
})
