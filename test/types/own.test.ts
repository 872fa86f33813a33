/** A database of a tag of its own: what it needs, and what of another it refuses. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Effect, type Layer, Schema, type Stream } from "effect"
import type { ConfigInvalid } from "../../src/Config.js"
import * as Db from "../../src/Db.js"

interface Tables<Row> {
  public: {
    Tables: { events: { Row: Row; Insert: Partial<Row>; Update: Partial<Row>; Relationships: [] } }
    Views: Record<never, never>
    Functions: { total: { Args: { since: string }; Returns: number }; ping: { Args: never; Returns: string } }
  }
}

type ArchiveSchema = Tables<{ id: string; what: string }>
type ShopSchema = Tables<{ id: string; price: number }>

class Archive extends Db.make<ArchiveSchema>()("Archive") {}
const Shop = Db.make<ShopSchema>()("Shop")
/** The name of the first, and another schema. */
const Other = Db.make<ShopSchema>()("Archive")

type ArchiveTag = Db.Of<"Archive", ArchiveSchema>
type ArchiveReader = Db.ReadOf<"Archive", ArchiveSchema>

const events = Archive.read((client) => client.from("events").select("what"))
const written = Archive.write((client) => client.from("events").insert({ what: "a" }))
const Event = Schema.Struct({ id: Schema.String, what: Schema.String })

const needing = <R>(_: Effect.Effect<unknown, unknown, R>) => expectTypeOf<R>()

describe("a database of its own", () => {
  it("needs its own tags", () => {
    expectTypeOf(events).toEqualTypeOf<Effect.Effect<Array<{ what: string }>, Db.ReadError, ArchiveReader>>()
    expectTypeOf(written).toEqualTypeOf<Effect.Effect<null, Db.WriteError, ArchiveTag>>()
    needing(Archive.read((client) => client.from("events").select("id"), { as: "service" })).toEqualTypeOf<ArchiveTag>()
    needing(Archive.transaction([(client) => client.from("events").delete().eq("id", "1")])).toEqualTypeOf<ArchiveTag>()
    expectTypeOf(Archive.stream((client) => client.from("events").select("id"))).toEqualTypeOf<
      Stream.Stream<{ id: string }, Db.StreamError, ArchiveReader>
    >()
    const table = Archive.table("events", Event)
    needing(table.get("1")).toEqualTypeOf<ArchiveReader>()
    needing(table.create({ id: "1", what: "a" })).toEqualTypeOf<ArchiveTag>()
    needing(Archive.table("events", Event, { as: "service" }).list()).toEqualTypeOf<ArchiveTag>()
  })

  it("gives what its functions give", () => {
    expectTypeOf(Archive.rpc("total", { since: "today" }, { get: true })).toEqualTypeOf<
      Effect.Effect<number, Db.RequestError, ArchiveReader>
    >()
    expectTypeOf(Archive.rpc("ping")).toEqualTypeOf<Effect.Effect<string, Db.RequestError, ArchiveTag>>()
    // @ts-expect-error: since is missing.
    expect(Effect.isEffect(Archive.rpc("total"))).toBe(true)
  })

  it("is no other's: neither its layer, nor one of its name with another schema", () => {
    const layer = Archive.layerTest(() => Response.json([]))
    expectTypeOf(Effect.provide(events, layer)).toExtend<Effect.Effect<unknown, unknown>>()
    needing(
      Effect.provide(
        events,
        Shop.layerTest(() => Response.json([]))
      )
    ).toEqualTypeOf<ArchiveReader>()
    needing(
      Effect.provide(
        events,
        Other.layerTest(() => Response.json([]))
      )
    ).toEqualTypeOf<ArchiveReader>()
    needing(
      Effect.provide(
        events,
        Db.layerTest(() => Response.json([]))
      )
    ).toEqualTypeOf<ArchiveReader>()
    const table = Shop.table("events", Schema.Struct({ id: Schema.String, price: Schema.Number }))
    needing(Effect.provide(table.list(), layer)).toEqualTypeOf<Db.ReadOf<"Shop", ShopSchema>>()
    expectTypeOf(layer).toExtend<Layer.Layer<ArchiveTag | ArchiveReader, unknown>>()
    expectTypeOf(layer).not.toExtend<Layer.Layer<Db.Of<"Shop", ShopSchema>, unknown>>()
    expectTypeOf(Shop.layerTest(() => Response.json([]))).not.toExtend<Layer.Layer<ArchiveTag, unknown>>()
    expectTypeOf(Other.layerTest(() => Response.json([]))).not.toExtend<Layer.Layer<ArchiveTag, unknown>>()
  })

  it("has a layer that only reads, over which nothing writes", () => {
    const layer = Archive.layerRead({ url: "https://archive.supabase.co", anonKey: "<anon key>" })
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<ArchiveReader, ConfigInvalid>>()
    expectTypeOf(Archive.layerReadFromEnv).toEqualTypeOf<Layer.Layer<ArchiveReader, ConfigInvalid>>()
    needing(Effect.provide(events, layer)).toEqualTypeOf<never>()
    needing(Effect.provide(written, layer)).toEqualTypeOf<ArchiveTag>()
    // @ts-expect-error: nothing would use a service-role key.
    Archive.layerRead({ url: "https://archive.supabase.co", anonKey: "<anon key>", serviceRoleKey: "<key>" })
  })

  it("refuses tables and columns of another", () => {
    const refused = [
      // @ts-expect-error: no such table.
      () => Archive.read((client) => client.from("orders").select("id")),
      // @ts-expect-error: no such column.
      () => Archive.read((client) => client.from("events").select("id, price")),
      // @ts-expect-error: no such column.
      () => Archive.write((client) => client.from("events").insert({ price: 1 })),
      // @ts-expect-error: no such table.
      () => Archive.table("orders", Event),
      // @ts-expect-error: no such column.
      () => Shop.table("events", Event),
      // @ts-expect-error: no such column.
      () => Shop.table("events", Event, { generated: ["id"] }),
      // @ts-expect-error: no such column.
      () => Shop.stream((client) => client.from("events").select("what"))
    ]
    expect(refused).toHaveLength(7)
  })

  it("has a reading side that can do nothing else", () => {
    const service = Effect.map(Archive.ReadDb, (db) => ({
      events: db.read((client) => client.from("events").select("what")),
      table: db.table("events", Event),
      total: db.rpc("total", { since: "today" })
    }))
    expectTypeOf<Effect.Effect.Context<typeof service>>().toEqualTypeOf<ArchiveReader>()
    type Service = Effect.Effect.Success<typeof service>
    expectTypeOf<Service["events"]>().toEqualTypeOf<Effect.Effect<Array<{ what: string }>, Db.ReadError>>()
    expectTypeOf<Service["total"]>().toEqualTypeOf<Effect.Effect<number, Db.RequestError>>()
    expectTypeOf<Service["table"]>().not.toHaveProperty("create")
    expectTypeOf<Effect.Effect.Context<ReturnType<Service["table"]["get"]>>>().toEqualTypeOf<never>()
    expectTypeOf<Db.Reader<ArchiveSchema>>().not.toHaveProperty("write")
    // @ts-expect-error: reading past row level security needs the tag that writes.
    const asService = Effect.map(Archive.ReadDb, (db) => db.table("events", Event, { as: "service" }))
    expect(Effect.isEffect(asService)).toBe(true)
  })

  it("gives services that need nothing", () => {
    const service = Effect.map(Archive, (db) => ({
      add: db.write((client) => client.from("events").insert({ what: "a" })),
      table: db.table("events", Event, { as: "service" })
    }))
    type Service = Effect.Effect.Success<typeof service>
    expectTypeOf<Service["add"]>().toEqualTypeOf<Effect.Effect<null, Db.WriteError>>()
    expectTypeOf<Effect.Effect.Context<ReturnType<Service["table"]["list"]>>>().toEqualTypeOf<never>()
    expectTypeOf<Effect.Effect.Context<ReturnType<Service["table"]["create"]>>>().toEqualTypeOf<never>()
    expectTypeOf<Effect.Effect.Context<typeof service>>().toEqualTypeOf<ArchiveTag>()
  })

  it("takes steps of its own tables alone", () => {
    const archived = Archive.table("events", Event)
    const ours = Db.table("events", Event)
    needing(Archive.transaction([archived.getStep("1"), archived.listStep()])).toEqualTypeOf<ArchiveTag>()
    needing(Db.transaction([ours.getStep("1"), (client) => client.from("a").select("id")])).toEqualTypeOf<Db.Db>()
    // @ts-expect-error: a step of the other database.
    const first = Archive.transaction([ours.getStep("1")])
    // @ts-expect-error: a step of the other database.
    const second = Db.transaction([archived.listStep()])
    // @ts-expect-error: a step of the other database, beside one of its own.
    const third = Db.typed<ArchiveSchema>().transaction([ours.getStep("1"), archived.removeStep("1")])
    expect([first, second, third].every(Effect.isEffect)).toBe(true)
  })
})
