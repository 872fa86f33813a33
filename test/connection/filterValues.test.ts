/**
 * A filter that is compared with undefined: by every filter that supabase-js has, in what reads, changes and removes, it is
 * refused by its name and nothing is sent.
 */
import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { createClient } from "@supabase/supabase-js"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"
import { clientOn } from "../../src/internal/promise/client.js"
import { Host } from "../../src/internal/promise/host.js"
import { fromOptions } from "../../src/internal/promise/layers.js"
import { asked as serving } from "../support/asked.js"

/** Any method of a builder, by name: what it is given here no type allows. */
type Answer = PromiseLike<{ readonly error: null; readonly status: number; readonly data: unknown }>

type Builder = Answer & { readonly [method: string]: (...args: ReadonlyArray<unknown>) => Builder }

type Filtered = (client: SupabaseClient) => Builder

const builderOf = (builder: unknown): Builder => builder as Builder

/** Each filter with what it may be given, none of which is undefined, and with what it must not be. */
const filters: Readonly<
  Record<string, { readonly good: ReadonlyArray<unknown>; readonly bad: ReadonlyArray<unknown> }>
> = {
  ...Object.fromEntries(
    ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "regexMatch", "regexIMatch", "isDistinct"].map((name) => [
      name,
      { good: ["id", "undefined"], bad: ["id", undefined] }
    ])
  ),
  ...Object.fromEntries(
    ["rangeGt", "rangeGte", "rangeLt", "rangeLte", "rangeAdjacent", "textSearch"].map((name) => [
      name,
      { good: ["id", "[1,2]"], bad: ["id", undefined] }
    ])
  ),
  ...Object.fromEntries(
    ["in", "notIn", "likeAllOf", "likeAnyOf", "ilikeAllOf", "ilikeAnyOf", "contains", "containedBy", "overlaps"].map(
      (name) => [name, { good: ["id", ["a"]], bad: ["id", undefined] }]
    )
  ),
  is: { good: ["id", null], bad: ["id", undefined] },
  match: { good: [{ id: "1" }], bad: [undefined] },
  or: { good: ["id.eq.1"], bad: [undefined] },
  not: { good: ["id", "eq", "1"], bad: ["id", "eq", undefined] },
  filter: { good: ["id", "eq", "1"], bad: ["id", "eq", undefined] }
}

/** A value that is there, with nothing in a part of it, and what the error says of that. */
const within: ReadonlyArray<readonly [filter: string, args: ReadonlyArray<unknown>, said: string]> = [
  ["match", [{ id: undefined }], "the filter match is compared with undefined (id)"],
  ["match", [{ kind: "a", id: undefined }], "the filter match is compared with undefined (id)"],
  ["in", ["id", [undefined]], 'the filter in("id") is compared with undefined (0)'],
  ["notIn", ["id", ["a", undefined]], 'the filter notIn("id") is compared with undefined (1)'],
  ["likeAllOf", ["id", [undefined]], 'the filter likeAllOf("id") is compared with undefined (0)'],
  ["ilikeAnyOf", ["id", [undefined]], 'the filter ilikeAnyOf("id") is compared with undefined (0)'],
  ["contains", ["meta", { owner: undefined }], 'the filter contains("meta") is compared with undefined (owner)'],
  ["contains", ["meta", { a: [{ b: undefined }] }], 'the filter contains("meta") is compared with undefined (a.0.b)'],
  ["containedBy", ["meta", { owner: undefined }], 'the filter containedBy("meta") is compared with undefined (owner)'],
  ["overlaps", ["tags", [undefined]], 'the filter overlaps("tags") is compared with undefined (0)']
]

const begun: Readonly<Record<string, (client: SupabaseClient) => unknown>> = {
  select: (client) => client.from("rows").select("id"),
  update: (client) => client.from("rows").update({ a: 1 }),
  delete: (client) => client.from("rows").delete(),
  "delete and select": (client) => client.from("rows").delete().select("id"),
  "delete, in another schema": (client) => client.schema("other").from("rows").delete()
}

const by = (name: string, args: ReadonlyArray<unknown>, from: (client: SupabaseClient) => unknown): Filtered => {
  return (client) => {
    const builder = builderOf(from(client))
    return builder[name]?.(...args) ?? builder
  }
}

/** What a filter fails with, by each way to send it, and what was sent. */
const asked = (query: Filtered, reads: boolean) =>
  Effect.gen(function* () {
    const sent: Array<string> = []
    const layer = Db.layerTest((request) => {
      sent.push(`${request.method} ${decodeURIComponent(new URL(request.url).search)}`)
      return request.url.includes("/rpc/") ? Response.json({ replayed: false, results: [[]] }) : Response.json([])
    })
    const ways: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>> = [
      ...(reads ? [Db.read(query), Db.response(query)] : []),
      Db.write(query),
      Db.write((client) => builderOf(query(client))["throwOnError"]?.() ?? query(client)),
      Db.transaction([query]),
      Db.transaction([(client) => builderOf(query(client))["throwOnError"]?.() ?? query(client)])
    ]
    const ends = yield* Effect.provide(
      Effect.forEach(ways, (way) => Effect.either(way)),
      layer
    )
    return { sent, ends }
  })

/** A client of somebody else's in the same process. */
const another = () => createClient("http://db.test", "key", { realtime: { transport: NoRealtime } })

describe("a filter that is compared with undefined", () => {
  it("is each of those that supabase-js has", () => {
    const builder = another().from("rows").select()
    const prototype: object = Object.getPrototypeOf(builder)
    const methods = Object.getOwnPropertyNames(prototype).filter(
      (name) => !["constructor", "throwOnError"].includes(name)
    )
    expect(Object.keys(filters).toSorted()).toEqual(methods.toSorted())
  })

  for (const [verb, from] of Object.entries(begun)) {
    it.effect(`is refused by its name, and nothing is sent: ${verb}`, () =>
      Effect.gen(function* () {
        for (const [name, { bad }] of Object.entries(filters)) {
          const { ends, sent } = yield* asked(by(name, bad, from), verb === "select")
          expect([name, sent]).toEqual([name, []])
          for (const end of ends) {
            expect([name, end]).toMatchObject([
              name,
              { _tag: "Left", left: { code: "INVALID_REQUEST", isTransient: false, mayHaveExecuted: false } }
            ])
            if (end._tag === "Left") expect(end.left.message).toContain(`the filter ${name}`)
          }
        }
      })
    )

    it.effect(`is refused where only a part of its value is undefined, which is named: ${verb}`, () =>
      Effect.gen(function* () {
        for (const [name, args, said] of within) {
          const { ends, sent } = yield* asked(by(name, args, from), verb === "select")
          expect([said, sent]).toEqual([said, []])
          for (const end of ends) {
            expect(end._tag).toBe("Left")
            if (end._tag === "Left") expect(end.left.message).toContain(said)
          }
        }
      })
    )
  }

  it.effect("is one that has a value where it has: the text undefined, null, an empty list", () =>
    Effect.gen(function* () {
      for (const [name, { good }] of Object.entries(filters)) {
        const { sent } = yield* asked(
          by(name, good, (client) => client.from("rows").select("id")),
          true
        )
        expect([name, sent.length >= 4]).toEqual([name, true])
      }
      const { sent } = yield* asked(
        (client) => builderOf(client.from("rows").delete().in("id", []).is("a", null)),
        false
      )
      expect(sent[0]).toBe("DELETE ?id=in.()&a=is.null")
    })
  )

  it.effect("is refused on the rows of a function, and the first of several is named", () =>
    Effect.gen(function* () {
      const { ends, sent } = yield* asked(
        (client) =>
          builderOf(client.rpc("f"))["eq"]?.("a", undefined)["match"]?.({ b: undefined }) ?? builderOf(client.rpc("f")),
        false
      )
      expect(sent).toEqual([])
      expect(ends[0]).toMatchObject({ _tag: "Left", left: { reason: 'the filter eq("a") is compared with undefined' } })
    })
  )

  it("is no other client's concern: it sends what it sent", async () => {
    const sent: Array<string> = []
    const fetch: typeof globalThis.fetch = async (input) => {
      sent.push(new URL(String(input)).search)
      return Response.json([])
    }
    await Effect.runPromise(
      Effect.provide(
        Db.read((client) => client.from("rows").select("id")),
        Db.layerTest(() => Response.json([]))
      )
    )
    const own = createClient("http://db.test", "key", { realtime: { transport: NoRealtime }, global: { fetch } })
    await own.from("rows").delete().eq("id", undefined).match({ id: undefined })
    expect(sent).toEqual(["?id=eq.undefined"])
  })
})

describe("a filter of createPooledClient that is compared with undefined", () => {
  const ask = async (query: Filtered, options: object = {}) => {
    const there = await serving(() => [])
    const host = new Host(
      fromOptions({ url: there.url, anonKey: "anon", serviceRoleKey: "service", enableHealthChecks: false })
    )
    try {
      const made = clientOn(() => host)(there.url, "key", { realtime: { transport: NoRealtime }, ...options })
      const answer = await query(made)
      return {
        answer,
        sent: there.seen.map(({ method, query: asked }) => `${method} ?${decodeURIComponent(String(asked))}`)
      }
    } finally {
      await host.close()
      await there.close()
    }
  }

  for (const [verb, from] of Object.entries(begun)) {
    it(`is refused by its name, whole or in part, and nothing is sent: ${verb}`, async () => {
      const all = [
        ...Object.entries(filters).map(([name, { bad }]) => [name, bad, `the filter ${name}`] as const),
        ...within
      ]
      for (const [name, args, said] of all) {
        const { answer, sent } = await ask(by(name, args, from))
        expect([name, sent]).toEqual([name, []])
        expect(answer).toMatchObject({ data: null, error: { message: expect.stringContaining(said) } })
      }
    })
  }

  it("is thrown where errors are", async () => {
    const query: Filtered = (client) => builderOf(client.from("rows").delete().eq("id", undefined).throwOnError())
    await expect(ask(query)).rejects.toThrow('the filter eq("id") is compared with undefined')
  })

  it("is refused whatever supabase-js puts around fetch", async () => {
    for (const options of [{ db: { timeout: 5_000 } }, { db: { schema: "other" } }, { accessToken: async () => "t" }]) {
      for (const from of Object.values(begun)) {
        const { answer, sent } = await ask(by("match", [{ id: undefined }], from), options)
        expect(sent).toEqual([])
        expect(answer).toMatchObject({ error: { message: expect.stringContaining("the filter match") } })
      }
    }
  })

  it("is sent where it has a value", async () => {
    const { sent } = await ask((client) => builderOf(client.from("rows").delete().in("id", []).is("a", null)))
    expect(sent).toEqual(["DELETE ?id=in.()&a=is.null"])
  })

  it("and so is a body in which JSON would change a value", async () => {
    const { answer, sent } = await ask((client) => builderOf(client.from("rows").insert({ a: Number.NaN })))
    expect(sent).toEqual([])
    expect(answer).toMatchObject({ error: { message: expect.stringContaining("a cannot be sent") } })
  })
})
