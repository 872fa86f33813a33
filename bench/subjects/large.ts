/** Much at once: an answer of many megabytes, a stream of a million rows, inserts of a hundred thousand. */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, Schema, Stream } from "effect"
import { Client } from "undici"
import * as Db from "../../src/Db.js"
import { patient } from "../support/options.js"
import { pressureOf } from "../support/pressure.js"
import { runtime } from "../support/runtime.js"
import { cpuOf, type Make } from "../support/subject.js"
import { stockClient } from "./peers.js"

const all = (client: SupabaseClient) => client.from("rows").select("*")

/** So that what a first request loads is loaded. */
const first = (client: SupabaseClient) => client.from("rows").select("id").limit(1)

const lengthOf = (u: unknown): number => (Array.isArray(u) ? u.length : 0)

export const answerByPool: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  await run(Db.read(first))
  return () => pressureOf(async () => lengthOf(await run(Db.read(all))))
}

export const answerByStock: Make = async (url = "") => {
  const client = stockClient(url)
  await first(client)
  return () => pressureOf(async () => lengthOf((await all(client)).data))
}

const rowOf = Schema.Struct({
  id: Schema.Number,
  title: Schema.String,
  description: Schema.String,
  price: Schema.Number,
  created_at: Schema.String
})

/** The body of an answer, by undici alone. */
const bodyOf = (socket: Client, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    socket.dispatch(
      { path, method: "GET", headers: { apikey: "anon", authorization: "Bearer anon" } },
      {
        onConnect: () => {},
        onHeaders: () => true,
        onData: (chunk) => {
          chunks.push(chunk)
          return true
        },
        onComplete: () => resolve(Buffer.concat(chunks).toString()),
        onError: reject
      }
    )
  })

export const answerByUndici: Make = async (url = "") => {
  const socket = new Client(url)
  await bodyOf(socket, "/rest/v1/rows?select=id&limit=1")
  return () => pressureOf(async () => lengthOf(JSON.parse(await bodyOf(socket, "/rest/v1/rows?select=*"))))
}

interface Product {
  readonly id: number
  readonly price: number
}

/** What is done with each row: it is written as a line, as an export does. */
const use = (row: unknown): number => JSON.stringify(row).length

export const streamByPool: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  await run(Db.read(first))
  const rows = Db.stream((client) => client.from("rows").select("*").order("id"), { key: "id" })
  return () =>
    pressureOf(async () => {
      let taken = 0
      let length = 0
      await run(
        Stream.runForEachChunk(rows, (page) =>
          Effect.sync(() => {
            for (const row of page) length += use(row)
            taken += page.length
          })
        )
      )
      return length > 0 ? taken : 0
    })
}

export const tableStreamByPool: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  await run(Db.read(first))
  const rows = Db.table("rows", rowOf).stream()
  return () =>
    pressureOf(async () => {
      let taken = 0
      let length = 0
      await run(
        Stream.runForEachChunk(rows, (page) =>
          Effect.sync(() => {
            for (const row of page) length += use(row)
            taken += page.length
          })
        )
      )
      return length > 0 ? taken : 0
    })
}

const pageSize = 1_000

/** A range after another, until one is empty. */
const pages = (page: (from: number) => Promise<ReadonlyArray<unknown>>) => async (): Promise<number> => {
  let length = 0
  for (let from = 0; ; from += pageSize) {
    const rows = await page(from)
    if (rows.length === 0) return length > 0 ? from : 0
    for (const row of rows) length += use(row)
  }
}

export const streamByStock: Make = async (url = "") => {
  const client = stockClient(url)
  await first(client)
  const page = async (from: number): Promise<ReadonlyArray<Product>> =>
    (
      await client
        .from("rows")
        .select("*")
        .order("id")
        .range(from, from + pageSize - 1)
    ).data ?? []
  return () => pressureOf(pages(page))
}

export const streamByUndici: Make = async (url = "") => {
  const socket = new Client(url)
  const page = async (from: number): Promise<ReadonlyArray<unknown>> =>
    JSON.parse(await bodyOf(socket, `/rest/v1/rows?select=*&order=id.asc&offset=${from}&limit=${pageSize}`))
  await page(0)
  return () => pressureOf(pages(page))
}

const inserted = Array.from({ length: 100_000 }, (_, id) => ({
  id,
  title: `product ${(id * 7919) % 10_007}`,
  description: `as good as number ${(id * 104_729) % 1_299_709}, and cheaper`,
  price: ((id * 37) % 9_973) / 100,
  created_at: new Date(1_700_000_000_000 + id * 61_000).toISOString()
}))

const rows = Db.table("rows", rowOf)

const pieceSize = 1_000

const times = async (work: () => Promise<number>): Promise<{ cpu: number; wall: number; rows: number }> => {
  let count = 0
  const { cpu, wall } = await cpuOf(async () => {
    count = await work()
  })
  return { cpu: cpu / 1_000, wall, rows: count }
}

/** Piece by piece, several at a time. */
export const piecesByPool: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  await run(rows.createMany(inserted.slice(0, 1)))
  return () => times(async () => (await run(rows.createMany(inserted, { pieceSize }))).length)
}

/** All or none: one request. */
export const insertsByPool: Make = async (url = "") => {
  const { run } = await runtime(Db.layerOf(patient(url, 20)))
  await run(rows.createMany(inserted.slice(0, 1)))
  return () => times(async () => (await run(rows.createMany(inserted))).length)
}

export const insertsByStock: Make = async (url = "") => {
  const client = stockClient(url)
  await client.from("rows").insert(inserted.slice(0, 1)).select()
  return () =>
    times(async () => {
      const made: Array<unknown> = []
      for (let from = 0; from < inserted.length; from += pageSize) {
        const { data } = await client
          .from("rows")
          .insert(inserted.slice(from, from + pageSize))
          .select()
        made.push(...(data ?? []))
      }
      return made.length
    })
}
