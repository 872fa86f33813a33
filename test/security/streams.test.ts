/** Whose rights a stream has, and whatever else is made in one place and run in another. */
import { createServer } from "node:http"
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import * as Db from "../../src/Db.js"

const alice = "token-of-alice"
const bob = "token-of-bob"

/** Tells each request's bearer, and gives two pages of one row. */
const database = (seen: Array<string | null>) =>
  Db.layerTest((request) => {
    seen.push(request.headers.get("authorization"))
    const offset = Number(new URL(request.url).searchParams.get("offset") ?? 0)
    return Response.json(offset < 2 ? [{ id: offset }] : [])
  })

const ids = Db.stream((client) => client.from("orders").select("id").order("id"), { pageSize: 1 })

const secret = Db.table("orders", Schema.Struct({ id: Schema.Number }), { as: "service" })

const bearers = (program: Effect.Effect<unknown, unknown, Db.Provided>) =>
  Effect.suspend(() => {
    const seen: Array<string | null> = []
    return Effect.as(Effect.provide(program, database(seen)), seen)
  })

describe("a stream", () => {
  it.effect("under Db.withAccessToken asks as that user, page after page", () =>
    Effect.gen(function* () {
      const seen = yield* bearers(Stream.runDrain(Db.withAccessToken(alice)(ids)))
      expect(seen).toEqual([`Bearer ${alice}`, `Bearer ${alice}`, `Bearer ${alice}`])
    })
  )

  it.effect("leaves who takes from it what they are", () =>
    Effect.gen(function* () {
      const seen = yield* bearers(
        Stream.runForEach(Db.withAccessToken(alice)(ids), () =>
          Db.withAccessToken(bob)(Db.read((client) => client.from("orders").select("id")))
        )
      )
      expect(new Set(seen)).toEqual(new Set([`Bearer ${alice}`, `Bearer ${bob}`]))
      const outside = yield* bearers(
        Stream.runForEach(Db.withAccessToken(alice)(ids), () => Db.read((client) => client.from("orders").select("id")))
      )
      expect(new Set(outside)).toEqual(new Set([`Bearer ${alice}`, "Bearer test-anon-key"]))
    })
  )

  it.effect("that is made under a token and runs after it asks as that user", () =>
    Effect.gen(function* () {
      const seen = yield* bearers(
        Effect.flatMap(
          Db.withAccessToken(alice)(
            Effect.sync(() => Db.stream((client) => client.from("orders").select("id"), { pageSize: 1 }))
          ),
          Stream.runDrain
        )
      )
      expect(new Set(seen)).toEqual(new Set([`Bearer ${alice}`]))
    })
  )

  const asked = (rows: Stream.Stream<string, unknown, Db.Provided>, handler = Db.withAccessToken(alice)) =>
    Effect.gen(function* () {
      const seen: Array<string | null> = []
      const response = Effect.map(Effect.context<Db.Provided>(), (context) =>
        HttpServerResponse.stream(Stream.encodeText(Stream.provideContext(rows, context)))
      )
      const served = HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/export", handler(response)), {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provideMerge(database(seen))
      )
      yield* HttpServer.addressFormattedWith((address) =>
        Effect.promise(async () => (await fetch(`${address}/export`)).text())
      ).pipe(Effect.provide(served))
      return seen
    })

  it.scopedLive("that is a handler's response asks as its user, and so does what is asked for each row", () =>
    Effect.gen(function* () {
      const rows = Stream.mapEffect(ids, (row) => Effect.as(secret.list(), `${row["id"]}\n`))
      const seen = yield* asked(Db.withAccessToken(alice)(rows))
      expect(seen.length).toBe(5)
      expect(new Set(seen)).toEqual(new Set([`Bearer ${alice}`]))
    })
  )

  it.scopedLive("that is made in a handler under a token and runs after it asks as the handler's user", () =>
    Effect.gen(function* () {
      const rows = Stream.unwrap(
        Db.withAccessToken(alice)(
          Effect.sync(() =>
            Stream.map(
              Db.stream((client) => client.from("orders").select("id"), { pageSize: 1 }),
              (row) => `${row["id"]}\n`
            )
          )
        )
      )
      expect(new Set(yield* asked(rows))).toEqual(new Set([`Bearer ${alice}`]))
    })
  )
})

describe("what is made under a token and runs outside of it", () => {
  const made = {
    "a read": () => Db.read((client) => client.from("orders").select("id")),
    "a write": () => Db.write((client) => client.from("orders").insert({ id: 1 })),
    "a table of the service's, one": () => secret.get(0),
    "a table of the service's, a list": () => secret.list(),
    "a table of the service's, a change": () => secret.createMany([{ id: 0 }])
  } as const

  for (const [name, make] of Object.entries(made)) {
    it.effect(`(${name}) has that user's rights and no more`, () =>
      Effect.gen(function* () {
        const seen = yield* bearers(
          Effect.exit(
            Effect.flatten(
              Db.withAccessToken(alice)(Effect.sync((): Effect.Effect<unknown, unknown, Db.Provided> => make()))
            )
          )
        )
        expect(new Set(seen)).toEqual(new Set([`Bearer ${alice}`]))
        const forBob = yield* bearers(
          Effect.exit(
            Db.withAccessToken(bob)(
              Effect.flatten(
                Db.withAccessToken(alice)(Effect.sync((): Effect.Effect<unknown, unknown, Db.Provided> => make()))
              )
            )
          )
        )
        expect(new Set(forBob)).toEqual(new Set([`Bearer ${bob}`]))
      })
    )
  }
})
