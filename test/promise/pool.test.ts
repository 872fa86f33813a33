/** The Promise API over real sockets: the shared embedded database, or a server that misbehaves on purpose. */
import { once } from "node:events"
import { createServer, type RequestListener, type Server } from "node:http"
import type { Socket } from "node:net"
import { afterEach, describe, expect, it, vi } from "vitest"
import { ConfigInvalid } from "../../src/Config.js"
import { AcquireTimeout, ConnectionFailed, PoolClosed, QueryError, ReadOnlyConnection } from "../../src/Errors.js"
import { createDatabase, getOptimizedConfig, type PrivateDatabase, SupabaseConnectionPool } from "../../src/promise.js"
import { embedded, ids } from "../support/embedded.js"

const { anonKey, serviceRoleKey, url } = embedded

const closers: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const database = (options: Partial<Parameters<typeof createDatabase>[0]> = {}): PrivateDatabase => {
  const made = createDatabase({ url, anonKey, serviceRoleKey, minConnections: 1, maxConnections: 4, ...options })
  closers.push(() => made.close())
  return made
}

/** What a promise rejects with; a failure of the test when it does not. */
const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  const outcome = await promise.then(
    () => ({ rejected: false, error: undefined }),
    (error: unknown) => ({ rejected: true, error })
  )
  expect(outcome.rejected).toBe(true)
  return outcome.error
}

interface Serving {
  readonly url: string
  /** Resolves when no socket is open. */
  readonly deserted: () => Promise<void>
  readonly opened: () => number
  readonly server: Server
}

const serve = async (listener: RequestListener): Promise<Serving> => {
  const sockets = new Set<Socket>()
  let opened = 0
  const server = createServer(listener)
  server.on("connection", (socket: Socket) => {
    opened += 1
    sockets.add(socket)
    socket.once("close", () => {
      sockets.delete(socket)
      server.emit("hung up")
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const deserted = async (): Promise<void> => {
    while (sockets.size > 0) await once(server, "hung up")
  }
  return { url: `http://127.0.0.1:${port}`, deserted, opened: () => opened, server }
}

const json = (response: Parameters<RequestListener>[1], status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

describe("connections taken by hand", () => {
  it("a connection is active until it is released, and its client uses the database", async () => {
    const pool = database().getConnectionPool()
    const connection = await pool.getConnection("read")
    expect(connection.isActive).toBe(true)
    expect(connection.mode).toBe("read")
    const { data } = await connection.client.from("products").select("id").eq("id", ids.product(1))
    expect(data).toEqual([{ id: ids.product(1) }])
    expect(pool.getMetrics().activeConnections).toBe(1)
    pool.releaseConnection(connection)
    expect(connection.isActive).toBe(false)
    expect(pool.getMetrics().activeConnections).toBe(0)
  })

  it("a released connection stays inactive when its socket serves the next borrower", async () => {
    const pool = database({ maxConnections: 2 }).getConnectionPool()
    const first = await pool.getConnection("read")
    pool.releaseConnection(first)
    const second = await pool.getConnection("read")
    expect(second.id).toBe(first.id)
    expect(first.isActive).toBe(false)
    expect(second.isActive).toBe(true)
    pool.releaseConnection(second)
  })

  it("a connection released twice is returned once, and not taken from the next borrower", async () => {
    const pool = database({ maxConnections: 2 }).getConnectionPool()
    const first = await pool.getConnection("write")
    pool.releaseConnection(first)
    const second = await pool.getConnection("write")
    pool.releaseConnection(first)
    expect(second.isActive).toBe(true)
    expect(pool.getMetrics().activeConnections).toBe(1)
    pool.releaseConnection(second)
    expect(pool.getMetrics().activeConnections).toBe(0)
  })

  it("what is no connection of the pool is refused with an error that says so", async () => {
    const mine = database().getConnectionPool()
    const other = database().getConnectionPool()
    const connection = await other.getConnection("read")
    expect(() => mine.releaseConnection(connection)).toThrow(TypeError)
    expect(() => mine.releaseConnection({ ...connection })).toThrow("no connection of this pool")
    expect(() => Reflect.apply(mine.releaseConnection, mine, [undefined])).toThrow("no connection of this pool")
    expect(connection.isActive).toBe(true)
    other.releaseConnection(connection)
  })

  it("who waits too long is told, in the words of the guide, and the next connection still comes", async () => {
    const pool = database({ maxConnections: 2, connectionTimeout: 50 }).getConnectionPool()
    const connection = await pool.getConnection("read")
    const error = await rejection(pool.getConnection("read"))
    expect(error).toBeInstanceOf(AcquireTimeout)
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toContain("Connection timeout")
    pool.releaseConnection(connection)
    const next = await pool.getConnection("read")
    expect(next.isActive).toBe(true)
    pool.releaseConnection(next)
  })

  it("who waits gets the connection that is released", async () => {
    const pool = database({ maxConnections: 2 }).getConnectionPool()
    const first = await pool.getConnection("read")
    const waiting = pool.getConnection("read")
    expect(pool.getMetrics().pendingRequests).toBe(1)
    pool.releaseConnection(first)
    const second = await waiting
    expect(second.id).toBe(first.id)
    pool.releaseConnection(second)
  })

  it("a connection that is kept too long is taken back, counted, and may still be released", async () => {
    const pool = database({ maxConnections: 2, leakDetectionTimeout: 50 }).getConnectionPool()
    const kept = await pool.getConnection("read")
    const next = await pool.getConnection("read")
    expect(kept.isActive).toBe(false)
    const { connectionLeaks, poolHealth } = pool.getMetrics()
    expect(connectionLeaks).toBe(1)
    expect(poolHealth).toBe("degraded")
    pool.releaseConnection(next)
    pool.releaseConnection(kept)
    expect(pool.getMetrics().activeConnections).toBe(0)
  })
})

describe("operations", () => {
  it("a hundred at once on two connections are all answered, each with its own row", async () => {
    const { executeWithPool, getConnectionPool } = database({ maxConnections: 4 })
    const wanted = Array.from({ length: 100 }, (_, n) => ids.product(n + 1))
    const got = await Promise.all(
      wanted.map((id) =>
        executeWithPool(async (client) => {
          const { data, error } = await client.from("products").select("id").eq("id", id).single()
          if (error) throw error
          return data.id
        })
      )
    )
    expect(got).toEqual(wanted)
    const { activeConnections, pendingRequests, totalConnections, totalRequests } = getConnectionPool().getMetrics()
    expect({ activeConnections, pendingRequests, totalRequests }).toEqual({
      activeConnections: 0,
      pendingRequests: 0,
      totalRequests: 100
    })
    expect(totalConnections).toBeLessThanOrEqual(4)
  })

  it("a thrown PostgREST error is a QueryError with its code", async () => {
    const { executeWithPool } = database()
    const error = await rejection(
      executeWithPool(async (client) => {
        const { error } = await client.from("no_such_table").select("*")
        if (error) throw error
      })
    )
    expect(error).toBeInstanceOf(QueryError)
    expect(error).toMatchObject({ code: "PGRST205", status: 404 })
  })

  it("a write on a read connection is refused before it is sent", async () => {
    const { executeWithPool } = database()
    const response = await executeWithPool((client) => client.from("notes").insert({ body: "never" }), "read")
    expect(response.error?.message).toContain("Read-only connection")
    const error = await rejection(
      executeWithPool(async (client) => {
        const { error } = await client.from("notes").insert({ body: "never" })
        if (error) throw error
      }, "read")
    )
    expect(error).toBeInstanceOf(ReadOnlyConnection)
  })

  it("the same pools are behind all members: one operation opens the minimum of each, and no more", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    const { checkDatabaseHealth, executeWithPool, getPooledClient } = database({
      url: counted.url,
      minConnections: 2,
      maxConnections: 4
    })
    await executeWithPool((client) => client.from("a").select("*"))
    await getPooledClient().read((client) => client.from("b").select("*"))
    await getPooledClient().write((client) => client.from("c").select("*"))
    await checkDatabaseHealth()
    expect(counted.opened()).toBeLessThanOrEqual(4)
  })

  it("the first operation is asked before what nobody waits for is opened, which comes behind it", async () => {
    const openAtFirst: Array<number> = []
    const counted = await serve((_, response) => {
      openAtFirst.push(counted.opened())
      json(response, 200, [])
    })
    // Of one that says how short it keeps connections only those are kept that are used.
    counted.server.keepAliveTimeout = 0
    const options = { url: counted.url, minConnections: 3, maxConnections: 8, enableHealthChecks: false }
    await database(options).executeWithPool((client) => client.from("a").select("*"))
    expect(openAtFirst).toEqual([1])
    await vi.waitFor(() => expect(counted.opened()).toBe(6), 10_000)
  })

  it("who keeps the first connection keeps nobody from the others", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    const options = { url: counted.url, minConnections: 3, maxConnections: 8, enableHealthChecks: false }
    const pool = database(options).getConnectionPool()
    const connection = await pool.getConnection()
    expect(counted.opened()).toBe(1)
    await vi.waitFor(() => expect(counted.opened()).toBe(6), 10_000)
    pool.releaseConnection(connection)
  })

  it("a database that refuses for a moment is asked again, and the caller does not notice", async () => {
    let asked = 0
    const server = await serve((_, response) => {
      asked += 1
      if (asked <= 2) json(response, 503, { code: "PGRST001", message: "no connection", details: null, hint: null })
      else json(response, 200, [{ id: 1 }])
    })
    const { executeWithPool } = database({ url: server.url, retryDelay: 1, enableHealthChecks: false })
    const { data, error } = await executeWithPool(async (client) => await client.from("products").select("*"))
    expect(error).toBeNull()
    expect(data).toEqual([{ id: 1 }])
    expect(asked).toBe(3)
  })

  it("nobody there is a ConnectionFailed, and unhealthy", async () => {
    const gone = await serve(() => {})
    gone.server.close()
    await once(gone.server, "close")
    const { checkDatabaseHealth, executeWithPool, getConnectionPool } = database({ url: gone.url, maxRetries: 0 })
    expect(await rejection(executeWithPool((client) => client.from("a").select("*")))).toBeInstanceOf(ConnectionFailed)
    const health = await checkDatabaseHealth()
    expect(health.status).toBe("unhealthy")
    expect(health.details.canConnect).toBe(false)
    expect(health.details.error).toContain("Connection failed")
    expect(getConnectionPool().getMetrics().poolHealth).toBe("unhealthy")
  })
})

describe("transactions", () => {
  it("a transaction keeps all steps or none, and gives the rows of each", async () => {
    const { db, executeWithPool } = database()
    const id = crypto.randomUUID()
    const [inserted] = await db.transaction([
      (client) => client.from("notes").insert({ id, body: "kept" }).select("id, body").single()
    ])
    expect(inserted).toEqual({ id, body: "kept" })
    const lost = crypto.randomUUID()
    const error = await rejection(
      db.transaction([
        (client) => client.from("notes").insert({ id: lost, body: "lost" }),
        (client) => client.from("notes").insert({ id, body: "twice" })
      ])
    )
    expect(error).toMatchObject({ _tag: "TransactionFailed", step: 1, code: "23505" })
    const { data } = await executeWithPool((client) => client.from("notes").select("id").in("id", [id, lost]))
    expect(data).toEqual([{ id }])
  })

  it("a transaction with a key is executed once, however often it arrives", async () => {
    const { getPooledClient } = database()
    const client = getPooledClient()
    const key = crypto.randomUUID()
    const send = () =>
      client.transaction([(client) => client.from("notes").insert({ body: key }).select("id").single()], {
        idempotencyKey: key
      })
    const [first, second] = await Promise.all([send(), send()])
    expect(second).toEqual(first)
    const { data } = await client.read((client) => client.from("notes").select("id").eq("body", key))
    expect(data).toEqual(first)
  })
})

describe("starting and ending", () => {
  it("nothing is opened before the first use, and asking for figures opens nothing", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    const { db, getConnectionPool, getDatabaseConnectionService } = database({ url: counted.url })
    expect(db.health.getMetrics().totalConnections).toBe(0)
    expect(getConnectionPool().getMetrics().uptime).toBe(0)
    expect(getDatabaseConnectionService().getQueryMetrics("day").totalQueries).toBe(0)
    await getDatabaseConnectionService().shutdown()
    expect(counted.opened()).toBe(0)
  })

  it("a shutdown closes every socket, and the next use starts afresh", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    const { executeWithPool, getConnectionPool } = database({ url: counted.url })
    const pool = getConnectionPool()
    await executeWithPool((client) => client.from("a").select("*"))
    const sockets = counted.opened()
    await Promise.all([pool.gracefulShutdown(), pool.gracefulShutdown()])
    await counted.deserted()
    expect(pool.getMetrics().totalConnections).toBe(0)
    expect(pool.getMetrics().totalRequests).toBe(0)
    await executeWithPool((client) => client.from("a").select("*"))
    expect(getConnectionPool()).toBe(pool)
    expect(pool.getMetrics().totalRequests).toBe(1)
    expect(counted.opened()).toBeGreaterThan(sockets)
  })

  it("a shutdown ends also in the moment in which the pool begins to connect", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    for (const turns of [0, 1, 2, 5, 10]) {
      const pool = database({ url: counted.url, minConnections: 2 }).getConnectionPool()
      // Behind the first connection that comes back the pool opens the rest of its minimum.
      pool.releaseConnection(await pool.getConnection("read"))
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      await pool.gracefulShutdown()
      expect(pool.getMetrics().totalConnections).toBe(0)
    }
    await counted.deserted()
  })

  it("a shutdown lets the work under way finish, and tells those who wait", async () => {
    const answers: Array<() => void> = []
    let arrive: () => void = () => {}
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const slow = await serve((_, response) => {
      answers.push(() => json(response, 200, [{ id: 1 }]))
      arrive()
    })
    const { executeWithPool, getConnectionPool } = database({ url: slow.url, maxConnections: 2 })
    const working = executeWithPool((client) => client.from("a").select("*"))
    await arrived
    const waiting = rejection(getConnectionPool().getConnection("read"))
    const closing = getConnectionPool().gracefulShutdown()
    expect(await waiting).toBeInstanceOf(PoolClosed)
    for (const answer of answers) answer()
    expect((await working).data).toEqual([{ id: 1 }])
    await closing
    await slow.deserted()
  })

  it("a connection from before a shutdown is inactive, and releasing it does no harm", async () => {
    const pool = database({ shutdownTimeout: 20 }).getConnectionPool()
    const connection = await pool.getConnection("read")
    await pool.gracefulShutdown()
    expect(connection.isActive).toBe(false)
    pool.releaseConnection(connection)
    const next = await pool.getConnection("read")
    expect(pool.getMetrics().activeConnections).toBe(1)
    pool.releaseConnection(next)
  })

  it("a closed database stays closed", async () => {
    const { close, executeWithPool, getConnectionPool } = database()
    await executeWithPool((client) => client.from("products").select("id").limit(1))
    await close()
    await close()
    expect(await rejection(executeWithPool((client) => client.from("products").select("id")))).toBeInstanceOf(
      PoolClosed
    )
    expect(await rejection(getConnectionPool().getConnection())).toBeInstanceOf(PoolClosed)
  })

  it("two databases have nothing in common", async () => {
    const one = database()
    const two = database()
    await one.executeWithPool((client) => client.from("products").select("id").limit(1))
    expect(one.getConnectionPool().getMetrics().totalRequests).toBe(1)
    expect(two.getConnectionPool().getMetrics().totalRequests).toBe(0)
    await one.close()
    const { error } = await two.executeWithPool((client) => client.from("products").select("id").limit(1))
    expect(error).toBeNull()
  })
})

describe("configuration", () => {
  it("an optimized configuration is plain values in milliseconds, and a pool takes it", async () => {
    const config = getOptimizedConfig("high")
    expect(config).toMatchObject({
      minConnections: 10,
      maxConnections: 50,
      connectionTimeout: 45_000,
      retryDelay: 2_000
    })
    expect(JSON.parse(JSON.stringify(config))).toEqual(config)
    expect(getOptimizedConfig("low").maxConnections).toBe(10)
    expect(getOptimizedConfig("extreme").maxConnections).toBe(100)
    const pool = new SupabaseConnectionPool({ ...config, minConnections: 1, url, anonKey, serviceRoleKey })
    closers.push(pool.gracefulShutdown)
    const connection = await pool.getConnection("read")
    expect(pool.getMetrics().maxConnections).toBe(50)
    pool.releaseConnection(connection)
  })

  it("a load without a preset is refused by name", () => {
    expect(() => Reflect.apply(getOptimizedConfig, undefined, ["huge"])).toThrow("low, medium, high or extreme")
  })

  it("every mistake is in one rejection, and no key is in it", async () => {
    const pool = new SupabaseConnectionPool({ maxConnections: 0, retryDelay: -1, url: "no url", anonKey: "se cret" })
    const error = await rejection(pool.getConnection())
    expect(error).toBeInstanceOf(ConfigInvalid)
    const text = String(error)
    for (const name of ["maxConnections", "retryDelay", "url", "anonKey", "serviceRoleKey"])
      expect(text).toContain(name)
    expect(text).not.toContain("se cret")
  })
})
