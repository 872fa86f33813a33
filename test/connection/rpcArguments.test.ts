/** What a function is called with by GET: each argument arrives as it was given, or is refused by its name. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Redacted } from "effect"
import postgres from "postgres"
import * as Db from "../../src/Db.js"
import { QueryError } from "../../src/Errors.js"
import { serve } from "../support/httpServer.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"

/** The functions are named for the type of what they take, and give it back: PostgREST casts text to that type. */
const echoing = Effect.gen(function* () {
  const sql = yield* Effect.acquireRelease(
    Effect.map(PostgresUrl, (url) => postgres(Redacted.value(url), { onnotice: () => {} })),
    (sql) => Effect.promise(() => sql.end())
  )
  const { seen, url } = yield* serve((response, asked) => {
    const { pathname, searchParams } = new URL(asked.url, "http://x")
    const type = decodeURIComponent(pathname.slice("/rest/v1/rpc/".length))
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    sql
      .unsafe(`select to_jsonb($1::text::${type}) as it`, [searchParams.get("it") ?? ""])
      .then(([row]) => answer(200, row?.["it"]))
      .catch((error: Error) => answer(400, { code: "22P02", message: error.message, details: null, hint: null }))
  })
  return { seen, layer: Db.layerOf({ ...options, url }) }
})

const options = {
  anonKey: "an-anon-key-for-this-test",
  serviceRoleKey: "a-service-key-for-this-test",
  minConnections: 1,
  maxConnections: 4,
  enableHealthChecks: false
}

const words = fc.oneof(
  fc.string({ maxLength: 6 }).filter((text) => !text.includes("\0")),
  fc.constantFrom(
    "",
    " ",
    "NULL",
    "null",
    "a,b",
    '"',
    "\\",
    "{}",
    "{a",
    "b}",
    "'",
    "\t",
    "a b",
    "é",
    "(x)",
    "%",
    "+",
    "&="
  )
)

const orNull = <A>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A | null> =>
  fc.oneof({ arbitrary, weight: 5 }, { arbitrary: fc.constant(null), weight: 1 })

const json = fc.dictionary(
  fc.constantFrom("a", "b c", '"', "é"),
  fc.oneof(fc.integer(), fc.boolean(), words, fc.constant(null))
)

/** Type of the parameter, and what may be given for it. */
const given: ReadonlyArray<readonly [type: string, arbitrary: fc.Arbitrary<unknown>]> = [
  ["text", words],
  ["boolean", fc.boolean()],
  ["integer", fc.integer()],
  ["float8", fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x))],
  ["text[]", fc.array(orNull(words), { maxLength: 5 })],
  ["int[]", fc.array(orNull(fc.integer()), { maxLength: 5 })],
  ["text[][]", fc.array(fc.tuple(words, words), { maxLength: 3 })],
  ["jsonb", json],
  ["jsonb[]", fc.array(json, { maxLength: 3 })]
]

describePostgres("a function called by GET", () => {
  for (const [type, arbitrary] of given) {
    it.scopedLive(`gets what it was given as ${type}, through Db.rpc and through a client of another schema`, () =>
      Effect.gen(function* () {
        const { layer } = yield* echoing
        yield* Effect.gen(function* () {
          const { runPromise } = yield* Effect.map(Effect.runtime<Db.ReadDb>(), (runtime) => ({
            runPromise: (it: unknown, other: boolean) =>
              Effect.runPromise(
                Effect.provide(
                  other
                    ? Db.read((client) => client.schema("other").rpc(type, { it }, { get: true }))
                    : Db.rpc(type, { it }, { get: true }),
                  runtime
                )
              )
          }))
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(arbitrary, fc.boolean(), async (it, other) => {
                expect(await runPromise(it, other)).toEqual(it)
              }),
              { numRuns: 40 }
            )
          )
        }).pipe(Effect.provide(layer))
      }).pipe(Effect.provide(PostgresUrl.Live))
    )
  }

  it.scopedLive("gets dates and bytes as what they are, and leaves out what is undefined", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* echoing
      const echo = (type: string, it: unknown) => Db.rpc(type, { it, not: undefined }, { get: true })
      yield* Effect.gen(function* () {
        const at = new Date("2026-02-03T04:05:06.789Z")
        expect(new Date(String(yield* echo("timestamptz", at)))).toEqual(at)
        expect(yield* echo("bytea", Uint8Array.of(0, 15, 255))).toBe("\\x000fff")
        expect(yield* echo("bytea[]", [Uint8Array.of(1)])).toEqual(["\\x01"])
        expect(yield* echo("numeric", 12345678901234567890n)).toBe(12345678901234567000)
        expect(seen.every(({ url }) => !url.includes("not="))).toBe(true)
        expect(seen.at(-1)?.url).toContain("12345678901234567890")
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.provide(PostgresUrl.Live))
  )

  it.scopedLive("refuses by name what no address can say, and sends nothing", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* echoing
      const circle: Record<string, unknown> = {}
      circle["itself"] = circle
      for (const it of [null, circle, [circle], () => 1, Symbol("it"), { toJSON: () => null }]) {
        for (const way of [{ get: true }, { head: true }]) {
          const refused = yield* Effect.flip(
            Effect.provide(
              Db.read((client) => client.rpc("text", { it }, way)),
              layer
            )
          )
          expect(refused).toBeInstanceOf(QueryError)
          expect(refused).toMatchObject({ code: "INVALID_REQUEST", mayHaveExecuted: false, isTransient: false })
          expect(refused.message).toContain("the argument it cannot be sent by GET")
        }
      }
      expect(seen).toEqual([])
    }).pipe(Effect.provide(PostgresUrl.Live))
  )

  it.scopedLive("sends texts that only look alike, and every text by POST", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* echoing
      const alike = ["eq", "equal.x", "a.eq.x", " eq.1", "EQ.1", "eq:1", "in", "island.x", "notes.txt", "order"]
      yield* Effect.gen(function* () {
        for (const it of alike) {
          expect(yield* Db.rpc("text", { it, limits: 1, ordered: 2 }, { get: true })).toBe(it)
        }
        yield* Effect.ignore(Db.rpc("text", { it: "eq.1", limit: 1 }))
      }).pipe(Effect.provide(layer))
      expect(seen.at(-1)?.body.toString()).toBe('{"it":"eq.1","limit":1}')
    }).pipe(Effect.provide(PostgresUrl.Live))
  )
})

describe("a function called by GET with what PostgREST would take for a filter, an order or a page", () => {
  // Those of PostgREST's documentation ("Tables and Views", operators; "Functions", filters on their rows).
  const operators =
    "eq neq gt gte lt lte like ilike match imatch in is isdistinct cs cd ov sl sr nxr nxl adj fts plfts phfts wfts"
  const filters = [
    ...operators.split(" ").flatMap((operator) => [`${operator}.x`, `not.${operator}.x`, `${operator}.`]),
    ...["eq(any).{1}", "like(all).{a}", "fts(english).x", "not.wfts(simple).x", "not.x"]
  ]
  const names = ["select", "order", "limit", "offset", "columns", "on_conflict", "and", "or", "rows.limit", "not.or"]

  it.effect("is refused by the argument's name, and nothing is sent", () =>
    Effect.gen(function* () {
      const sent: Array<string> = []
      const layer = Db.layerTest((request) => {
        sent.push(request.url)
        return Response.json([])
      })
      const asked: ReadonlyArray<readonly [name: string, value: unknown, said: string]> = [
        ...filters.map((value) => ["it", value, "for a filter"] as const),
        ...names.map((name) => [name, 5, "the name is PostgREST's own"] as const)
      ]
      yield* Effect.gen(function* () {
        for (const [name, value, said] of asked) {
          const ends = yield* Effect.all([
            Effect.flip(Db.read((client) => client.rpc("text", { [name]: value }, { get: true }))),
            Effect.flip(Db.read((client) => client.rpc("text", { [name]: value }, { head: true }))),
            Effect.flip(Db.rpc("text", { [name]: value }, { get: true }))
          ])
          for (const end of ends) {
            expect([value, end]).toMatchObject([value, { code: "INVALID_REQUEST", mayHaveExecuted: false }])
            expect(end.message).toContain(`the argument ${name} cannot be sent by GET`)
            expect(end.message).toContain(said)
          }
        }
      }).pipe(Effect.provide(layer))
      expect(sent).toEqual([])
    })
  )
})
