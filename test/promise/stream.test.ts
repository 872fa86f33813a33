/** `stream` of the Promise API: what is asked for, when it ends, and what it leaves behind. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { QueryError } from "../../src/Errors.js"
import { createDatabase, type PrivateDatabase, type RowStream } from "../../src/promise.js"
import { type Answer, type Asked, asked, reply } from "../support/asked.js"

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const total = 7

/** Rows 0 to 6, of which a page is asked for by offset and limit. */
const pages: Answer = ({ query }) => {
  const from = Number(query.get("offset"))
  const size = Number(query.get("limit"))
  return Array.from({ length: Math.max(0, Math.min(size, total - from)) }, (_, n) => ({ id: from + n }))
}

const over = async (answer: Answer): Promise<{ readonly db: PrivateDatabase; readonly there: Asked }> => {
  const there = await asked(answer)
  closers.push(there.close)
  const db = createDatabase({
    url: there.url,
    anonKey: "an-anon-key-for-this-test",
    serviceRoleKey: "a-service-key-for-this-test",
    minConnections: 1,
    maxConnections: 2,
    maxRetries: 0,
    enableHealthChecks: false
  })
  closers.push(() => db.close())
  return { db, there }
}

const things = (db: PrivateDatabase, pageSize = 3) =>
  db.stream((client) => client.from("things").select("id").order("id"), { pageSize })

const active = (db: PrivateDatabase): number => db.getConnectionPool().getMetrics().activeConnections

describe("rows of a stream", () => {
  it("come all, in order, page by page, and an empty page is the last", async () => {
    const { db, there } = await over(pages)
    const seen: Array<unknown> = []
    for await (const { id } of things(db)) seen.push(id)
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(there.seen.map(({ query }) => query.get("offset") ?? "0")).toEqual(["0", "3", "6", "7"])
  })

  it("cost nothing until the first is asked for, no second page until its first row is, and then one page ahead", async () => {
    const { db, there } = await over(pages)
    const rows = things(db)
    expect(there.seen).toHaveLength(0)
    for (const _ of [1, 2, 3]) await rows.next()
    await db.executeWithPool((client) => client.from("other").select("*"))
    expect(there.seen.map(({ path }) => path)).toEqual(["/rest/v1/things", "/rest/v1/other"])
    expect((await rows.next()).value?.id).toBe(3)
    await there.times(4)
    const offsets = () => there.seen.map(({ query }) => query.get("offset") ?? "0")
    expect(offsets()).toEqual(["0", "0", "3", "6"])
    for (const _ of [4, 5]) await rows.next()
    await db.executeWithPool((client) => client.from("other").select("*"))
    expect(there.seen).toHaveLength(5)
    expect(active(db)).toBe(0)
    await rows.return()
  })

  it("hold no connection between two pages, but that of the page ahead until it has come", async () => {
    const { db } = await over(pages)
    for await (const _ of things(db, 1)) expect(active(db)).toBeLessThan(2)
    for await (const _ of things(db, 3)) await vi.waitFor(() => expect(active(db)).toBe(0))
  })

  it("with a key continue behind it", async () => {
    const { db, there } = await over(({ query }) => {
      const behind = Number(query.get("id")?.slice("gt.".length) ?? "-1")
      return Array.from({ length: total }, (_, id) => ({ id }))
        .filter(({ id }) => id > behind)
        .slice(0, 3)
    })
    const seen: Array<unknown> = []
    const rows = db.stream((client) => client.from("things").select("id").order("id"), { pageSize: 3, key: "id" })
    for await (const { id } of rows) seen.push(id)
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(there.seen.map(({ query }) => query.get("id"))).toEqual([null, "gt.2", "gt.5", "gt.6"])
    expect(there.seen.every(({ query }) => (query.get("offset") ?? "0") === "0")).toBe(true)
  })

  it("that are asked for at the same time come in order, one page after another", async () => {
    const { db, there } = await over(pages)
    const rows = things(db)
    const all = await Promise.all(Array.from({ length: 9 }, () => rows.next()))
    expect(all.map(({ value }) => value?.id)).toEqual([0, 1, 2, 3, 4, 5, 6, undefined, undefined])
    expect(there.seen).toHaveLength(4)
  })

  it("can be asked for again after the end: there are none", async () => {
    const { db, there } = await over(pages)
    const rows = things(db, 10)
    for await (const _ of rows);
    expect(await rows.next()).toEqual({ done: true, value: undefined })
    expect(there.seen).toHaveLength(2)
  })
})

describe("a stream ends", () => {
  it("by break, return and throw inside the loop: no more is asked for, nothing is held", async () => {
    const { db, there } = await over(pages)
    for await (const _ of things(db)) break
    const first = await (async () => {
      for await (const { id } of things(db)) return id
      return undefined
    })()
    expect(first).toBe(0)
    const failed = (async () => {
      for await (const _ of things(db)) throw new Error("the consumer's")
    })()
    await expect(failed).rejects.toThrow("the consumer's")
    expect(there.seen).toHaveLength(3)
    expect(active(db)).toBe(0)
  })

  it("by return while a page is under way: the request is aborted, who waits is told, and the connection serves the next", async () => {
    const { db, there } = await over(({ path }) => (path.endsWith("things") ? undefined : []))
    const rows = things(db)
    const waiting = rows.next()
    await there.times(1)
    const hungUp = there.hungUp()
    expect(await rows.return()).toEqual({ done: true, value: undefined })
    expect(await waiting).toEqual({ done: true, value: undefined })
    await hungUp
    expect(active(db)).toBe(0)
    await db.executeWithPool((client) => client.from("other").select("*"))
    expect(await rows.next()).toEqual({ done: true, value: undefined })
  })

  it("while the page ahead is under way: its request is aborted, however it ends", async () => {
    const ways: Readonly<Record<string, (rows: RowStream<unknown>) => Promise<unknown>>> = {
      return: (rows) => rows.return(),
      throw: (rows) => rows.throw(new Error("mine")).catch(() => undefined),
      "a consumer that fails": async (rows) => {
        try {
          for await (const _ of rows) throw new Error("the consumer's")
        } catch {
          return undefined
        }
      }
    }
    for (const [name, end] of Object.entries(ways)) {
      const { db, there } = await over((question, response) =>
        question.query.get("offset") === "6" ? undefined : pages(question, response)
      )
      const rows = things(db)
      for (const _ of [0, 1, 2, 3]) await rows.next()
      await there.times(3)
      const hungUp = there.hungUp()
      await end(rows)
      await hungUp
      expect([name, active(db), there.seen.length]).toEqual([name, 0, 3])
    }
  })

  it("by the error of the page ahead, after the rows that had come before it", async () => {
    const { db, there } = await over((question, response) => {
      if (question.query.get("offset") !== "6") return pages(question, response)
      reply(response, { code: "42501", message: "permission denied", details: null, hint: null }, 403)
      return undefined
    })
    const rows = things(db)
    for (const id of [0, 1, 2, 3]) expect((await rows.next()).value).toEqual({ id })
    await there.times(3)
    for (const id of [4, 5]) expect((await rows.next()).value).toEqual({ id })
    await expect(rows.next()).rejects.toMatchObject({ code: "42501" })
    expect(active(db)).toBe(0)
  })

  it("by return while it waits for a connection: it leaves the queue, and asks for nothing", async () => {
    const { db, there } = await over(pages)
    const pool = db.getConnectionPool()
    const held = await pool.getConnection("read")
    const rows = things(db)
    const waiting = rows.next()
    await rows.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(pool.getMetrics().pendingRequests).toBe(0)
    pool.releaseConnection(held)
    expect(there.seen).toHaveLength(0)
  })

  it("by return before the first row, without having begun", async () => {
    const { db, there } = await over(pages)
    const rows = things(db)
    await rows.return()
    for await (const _ of rows) expect.unreachable()
    expect(there.seen).toHaveLength(0)
  })

  it("by throw, which rejects with what it was given", async () => {
    const { db } = await over(pages)
    const rows = things(db)
    await rows.next()
    const mine = new Error("mine")
    await expect(rows.throw(mine)).rejects.toBe(mine)
    expect((await rows.next()).done).toBe(true)
  })

  it("by the database's error, which is that of Db, after the rows that had come", async () => {
    const { db } = await over((question, response) => {
      if (question.query.get("offset") !== "3") return pages(question, response)
      reply(response, { code: "42501", message: "permission denied", details: null, hint: null }, 403)
      return undefined
    })
    const seen: Array<unknown> = []
    const failed = (async () => {
      for await (const { id } of things(db)) seen.push(id)
    })()
    await expect(failed).rejects.toBeInstanceOf(QueryError)
    expect(seen).toEqual([0, 1, 2])
  })

  it("by what the caller's function throws, as it was thrown", async () => {
    const { db } = await over(pages)
    const mine = new Error("mine")
    const rows = db.stream(() => {
      throw mine
    })
    await expect(rows.next()).rejects.toBe(mine)
    expect((await rows.next()).done).toBe(true)
  })

  it("by a shutdown between two pages: PoolClosed, and the next stream starts afresh", async () => {
    const { db } = await over(pages)
    const rows = things(db, 1)
    await rows.next()
    await db.getConnectionPool().gracefulShutdown()
    await expect(rows.next()).rejects.toMatchObject({ _tag: "PoolClosed" })
    expect((await things(db).next()).done).toBe(false)
  })

  it("at once where pageSize is no number of rows", async () => {
    const { db, there } = await over(pages)
    for (const pageSize of [0, -1, 1.5, Number.NaN]) {
      await expect(things(db, pageSize).next()).rejects.toMatchObject({ code: "INVALID_REQUEST" })
    }
    expect(there.seen).toHaveLength(0)
  })
})
