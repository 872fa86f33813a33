/** `stream` of the Promise API: what is asked for, when it ends, and what it leaves behind. */
import { afterEach, describe, expect, it } from "vitest"
import { QueryError } from "../../src/Errors.js"
import { createDatabase, type PrivateDatabase } from "../../src/promise.js"
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

  it("cost nothing until the first is asked for, and no page that nobody asked for", async () => {
    const { db, there } = await over(pages)
    const rows = things(db)
    expect(there.seen).toHaveLength(0)
    for (const _ of [1, 2, 3]) await rows.next()
    await db.executeWithPool((client) => client.from("other").select("*"))
    expect(there.seen.map(({ path }) => path)).toEqual(["/rest/v1/things", "/rest/v1/other"])
    await rows.next()
    expect(there.seen).toHaveLength(3)
    await rows.return()
  })

  it("hold no connection between two pages", async () => {
    const { db } = await over(pages)
    for await (const _ of things(db, 1)) expect(active(db)).toBe(0)
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
