/** Members called `__proto__` and `constructor`, from rows, filters and headers: values like any other, or refused. */
import { describe, expect, it, layer as withLayer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { PoolConfig } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { keyOf, shapeOf } from "../../src/internal/metrics/shape.js"
import { SharedSupabase } from "../support/embedded.js"
import { against, failureOf } from "../support/httpServer.js"
import { shows } from "../support/reliability.js"

/** As it comes from outside: in a literal `__proto__` would be something else. */
const hostile = (text: string): Record<string, unknown> => {
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {}
}

const member = '{"polluted":"yes","isAdmin":true}'
const row = `{"id":"1","__proto__":${member},"constructor":{"prototype":${member}},"prototype":${member}}`

const unharmed = (): void => {
  expect(Reflect.get({}, "polluted")).toBeUndefined()
  expect(Reflect.get([], "isAdmin")).toBeUndefined()
  expect(Reflect.get(() => {}, "polluted")).toBeUndefined()
  expect(Object.getPrototypeOf({})).toBe(Object.prototype)
}

const Row = Schema.Struct({ id: Schema.String })
const rows = Db.table("rows", Row, { search: ["id"] })
const records = Db.table("rows", Schema.Struct({ id: Schema.String, constructor: Schema.Unknown }))

const answering = against(
  (response) => void response.writeHead(200, { "content-type": "application/json" }).end(`[${row}]`)
)

describe("rows with members of that name", () => {
  it.effect("are plain values to a read, and change no prototype", () =>
    answering(() =>
      Effect.gen(function* () {
        const got: ReadonlyArray<object> = yield* Db.read((client) => client.from("rows").select("*"))
        expect(Object.keys(got[0] ?? {})).toEqual(["id", "__proto__", "constructor", "prototype"])
        expect(JSON.stringify(got)).toBe(`[${row}]`)
        unharmed()
      })
    )
  )

  it.effect("lose them where the schema knows none, and are found by their keys all the same", () =>
    answering(() =>
      Effect.gen(function* () {
        for (const found of [yield* rows.get("1"), (yield* rows.list())[0], (yield* rows.getMany(["1"]))[0]]) {
          expect(found).toStrictEqual({ id: "1" })
          expect(Reflect.get(found ?? {}, "isAdmin")).toBeUndefined()
        }
        expect((yield* records.get("1")).constructor).toEqual({ prototype: JSON.parse(member) })
        unharmed()
      })
    )
  )

  it.effect.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "a get of the key %s is not mistaken for another",
    (key) =>
      against((response, { url }) => {
        const all = ["__proto__", "constructor", "toString", "hasOwnProperty"].filter((id) => url.includes(id))
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify(all.map((id) => ({ id }))))
      })(() =>
        Effect.gen(function* () {
          const keys = [key, "valueOf", "a"]
          const [found, missing, other] = yield* Effect.forEach(keys, (id) => Effect.either(rows.get(id)), {
            concurrency: "unbounded"
          })
          expect(found).toMatchObject({ _tag: "Right", right: { id: key } })
          for (const none of [missing, other]) expect(none).toMatchObject({ left: { _tag: "RowNotFound" } })
        })
      )
  )
})

describe("options with members of that name", () => {
  it.effect.each(["__proto__", "constructor", "toString"])(
    "%s is no column: refused by name, and nothing is sent",
    (name) =>
      answering((server) =>
        Effect.gen(function* () {
          const where = hostile(`{"${name}":"1"}`)
          const attempts: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>> = [
            Reflect.apply(rows.list, undefined, [{ where }]),
            Reflect.apply(rows.list, undefined, [{ orderBy: name }]),
            Reflect.apply(rows.update, undefined, ["1", where])
          ]
          for (const attempt of attempts) expect((yield* failureOf(attempt))._tag).toBe("DecodeError")
          expect(server.seen.length).toBe(0)
          unharmed()
        })
      )
  )
})

describe("the figures of queries", () => {
  it("take parameters of that name for parameters", () => {
    const { text } = shapeOf(keyOf("GET", "/rest/v1/a?__proto__=eq.1&constructor=eq.2&select=__proto__"))
    expect(text).toBe("SELECT __proto__ FROM a WHERE __proto__ = ? AND constructor = ?")
    expect(shapeOf(keyOf("GET", "/rest/v1/__proto__")).name).toBe("__proto__")
    expect(shapeOf(keyOf("constructor", "/rest/v1/a")).operation).toBe("constructor")
    unharmed()
  })
})

const Real = Db.layer.pipe(
  Layer.provide(SharedSupabase),
  Layer.provide(PoolConfig.layerOf({ minConnections: 1, maxConnections: 4, maxRetries: 0 }))
)

withLayer(Real)("the database", (it) => {
  it.effect("keeps JSON with such members as it was, alone and in a transaction", (context) =>
    Effect.gen(function* () {
      const body = `pollution ${crypto.randomUUID()}`
      const tags = [hostile(row)]
      const alone: ReadonlyArray<unknown> = yield* Db.write((client) =>
        client.from("notes").insert({ body, tags }).select("tags")
      )
      const [together] = yield* Db.transaction([(client) => client.from("notes").insert({ body, tags }).select("tags")])
      for (const written of [alone, together]) {
        const [kept] = yield* Schema.decodeUnknown(Schema.Tuple(Schema.Struct({ tags: Schema.Tuple(Schema.Object) })))(
          written
        )
        expect(Object.keys(kept.tags[0]).sort()).toEqual(["__proto__", "constructor", "id", "prototype"])
        expect(kept.tags[0]).toEqual(tags[0])
      }
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "JSON with members called `__proto__` and `constructor` is written and comes back as it was, alone and in a transaction; no prototype changes"
      })
      unharmed()
    })
  )

  it.effect("has no column of that name for a step of a transaction", () =>
    Effect.gen(function* () {
      const values = hostile('{"body":"x","__proto__":{"polluted":"yes"}}')
      const error = yield* failureOf(Db.transaction([(client) => client.from("notes").insert(values)]))
      expect(error).toMatchObject({ _tag: "TransactionFailed", step: 0, code: "42703" })
      expect(error.message).toContain("column __proto__ of relation public.notes does not exist")
      unharmed()
    })
  )
})
