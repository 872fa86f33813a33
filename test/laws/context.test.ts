/** Whose async context code runs in: nobody sees another's request, and the pool's own work belongs to none. */
import { AsyncLocalStorage } from "node:async_hooks"
import channel from "node:diagnostics_channel"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime, Schema, Stream } from "effect"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Health from "../../src/Health.js"
import * as Pool from "../../src/Pool.js"
import { createDatabase, type PrivateDatabase, type StandardSchema } from "../../src/promise.js"
import { eachShows, withSuite } from "../support/reliability.js"

eachShows("Laws of the pool", withSuite)

/** The store of a caller is its number; who has none is in nobody's context. */
const als = new AsyncLocalStorage<number>()

const callers = Array.from({ length: 40 }, (_, n) => n)
const connections = 4

let requests = 0

const rowsOf = (url: URL): ReadonlyArray<unknown> => {
  const ids = (url.searchParams.get("id") ?? "").match(/\d+/g) ?? []
  return ids.map((id) => ({ id: Number(id), name: `thing ${id}` }))
}

/** Answers as PostgREST does, after a while, and every seventh time that it has no database connection. */
const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const url = new URL(request.url ?? "/", "http://localhost")
  request.resume()
  requests += 1
  const busy = requests % 7 === 0
  const body = url.pathname.endsWith("supabase_pool_transaction") ? { replayed: false, results: [null] } : rowsOf(url)
  setTimeout(() => {
    response.statusCode = busy ? 503 : 200
    response.setHeader("content-type", "application/json")
    if (String(request.headers["prefer"]).includes("count=exact")) response.setHeader("content-range", "*/0")
    response.end(
      JSON.stringify(busy ? { code: "PGRST001", message: "no connection", details: null, hint: null } : body)
    )
  }, 3)
}

let server: Server
let url: string

beforeAll(async () => {
  server = createServer(answer)
  server.keepAliveTimeout = 600_000
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const options = () => ({
  url,
  anonKey: "an-anon-key-for-this-test",
  serviceRoleKey: "a-service-key-for-this-test",
  minConnections: 1,
  // Of each pool.
  maxConnections: 2 * connections,
  retryDelay: 1,
  maxRetries: 10,
  enableHealthChecks: false
})

/** Says what it sees to whom it is told by: whether this is the context of the caller that it was made for. */
type Look = () => void

const Thing = (look: Look) =>
  Schema.Struct({
    id: Schema.Number,
    name: Schema.transform(Schema.String, Schema.String, {
      decode: (name) => {
        look()
        return name
      },
      encode: (name) => name
    })
  })

/** A thenable that is called back by somebody else. */
class Foreign<A> implements PromiseLike<A> {
  private readonly promise: Promise<A>

  constructor(promise: Promise<A>) {
    this.promise = promise
  }

  // biome-ignore lint/suspicious/noThenProperty: it is what this is about
  then<B, C>(
    kept: ((value: A) => B | PromiseLike<B>) | null | undefined,
    broken: ((reason: unknown) => C | PromiseLike<C>) | null | undefined
  ): Promise<B | C> {
    return als.exit(() => this.promise.then(kept, broken))
  }
}

let nextId = 0

/** A token that somebody has to be asked for. */
const asking = (look: Look) => async () => {
  look()
  await null
  look()
  return "a-token-for-this-test"
}

type Validate = StandardSchema<{ readonly id: number }>["~standard"]["validate"]

const standard = (look: Look, validate: (row: { readonly id: number }) => ReturnType<Validate>) => ({
  "~standard": {
    version: 1 as const,
    vendor: "here",
    validate: (row: unknown) => {
      look()
      return validate(row as { readonly id: number })
    }
  } satisfies StandardSchema<{ readonly id: number }>["~standard"]
})

type Way = (db: PrivateDatabase, look: Look) => Promise<unknown>

const promiseWays: Readonly<Record<string, Way>> = {
  "a read": (db, look) =>
    db.executeWithPool(async (client) => {
      look()
      const { data, error } = await client.from("things").select("*")
      look()
      if (error) throw error
      return data
    }),
  "a read that returns the builder": (db, look) =>
    db.executeWithPool((client) => {
      look()
      return client.from("things").select("*")
    }),
  "a read that answers by a thenable of its own": (db, look) =>
    db.executeWithPool((client) => {
      look()
      return new Foreign(Promise.resolve(client.from("things").select("*")))
    }),
  "a write": (db, look) =>
    db.executeWithPool(async (client) => {
      look()
      const { error } = await client.from("things").insert({ name: "x" })
      look()
      if (error) throw error
    }, "write"),
  "a fetch": async (db, look) => {
    const response = await db.pooledFetch(`${url}/rest/v1/things`, { headers: { apikey: "mine" } })
    look()
    await response.json()
  },
  "a fetch that is aborted": (db, look) =>
    db.pooledFetch(`${url}/rest/v1/things`, { method: "POST", body: "{}", signal: AbortSignal.timeout(2) }).catch(look),
  "a callback that throws": (db, look) =>
    db
      .executeWithPool(async (client) => {
        look()
        await client.from("things").select("*")
        throw new Error("the caller's")
      })
      .catch(look),
  "a transaction": (db, look) =>
    db.db.transaction([
      (client) => {
        look()
        return client.from("things").insert({ name: "x" })
      }
    ]),
  "a connection by hand": async (db, look) => {
    const pool = db.getConnectionPool()
    const connection = await pool.getConnection("read")
    look()
    await connection.client.from("things").select("*")
    look()
    pool.releaseConnection(connection)
  },
  "a health check": (db) => db.checkDatabaseHealth(),
  "a read as a user whose token is asked for": (db, look) =>
    db.withAccessToken(asking(look)).executeWithPool((client) => {
      look()
      return client.from("things").select("*")
    }),
  "a fetch as a user whose token is asked for": async (db, look) => {
    const response = await db.withAccessToken(asking(look)).pooledFetch(`${url}/rest/v1/things`)
    look()
    await response.json()
  },
  "a transaction as a user whose token is asked for": (db, look) =>
    db.withAccessToken(asking(look)).db.transaction([
      (client) => {
        look()
        return client.from("things").insert({ name: "x" })
      }
    ]),
  "a function of the database, as a user whose token is asked for": (db, look) =>
    db.withAccessToken(asking(look)).rpc("f", { a: 1 }, { get: true }),
  "a stream": async (db, look) => {
    const rows = db.stream(
      (client) => {
        look()
        return client.from("things").select("*").in("id", [1, 2]).limit(5)
      },
      { pageSize: 2 }
    )
    for await (const _ of rows) look()
  },
  "a stream as a user whose token is asked for": async (db, look) => {
    for await (const _ of db
      .withAccessToken(asking(look))
      .table("things")
      .stream({ limit: 3, where: { id: [1] } }))
      look()
  },
  "a stream that is left": async (db, look) => {
    for await (const _ of db.stream((client) => client.from("things").select("*").in("id", [1, 2]))) {
      look()
      break
    }
    look()
  },
  "a table's schema": (db, look) =>
    db.table("things", { schema: standard(look, (row) => ({ value: row })) }).list({ where: { id: [1, 2] } }),
  "a table's schema that waits": (db, look) =>
    db
      .table("things", {
        schema: standard(look, async (row) => {
          await null
          look()
          return { value: row }
        })
      })
      .getMany([1, 2]),
  "a table's filter": (db, look) =>
    db.table("things").list({
      filter: (query) => {
        look()
        return query
      }
    }),
  "gets that share a request": async (db, look) => {
    nextId += 1
    const id = nextId
    await db.table("things", { schema: standard(look, (row) => ({ value: row })) }).get(id)
  },
  "the marketplace's filter": (db, look) =>
    db.db.products.count({
      filter: (query) => {
        look()
        return query
      }
    })
}

const rows = (look: Look) =>
  Db.read((client) => {
    look()
    return client.from("things").select("*")
  })

/** One table for all callers, so that their `get`s share requests; whose row it is, is looked at by number. */
const lookers = new Map<number, Look>()
const shared = Db.table(
  "things",
  Schema.Struct({
    id: Schema.transform(Schema.Number, Schema.Number, {
      decode: (id) => {
        lookers.get(id)?.()
        return id
      },
      encode: (id) => id
    }),
    name: Schema.String
  })
)

type EffectWay = (look: Look) => Effect.Effect<unknown, unknown, Db.Db | Db.ReadDb | Pool.ReadPool>

const effectWays: Readonly<Record<string, EffectWay>> = {
  "a read": rows,
  "a write": (look) =>
    Db.write((client) => {
      look()
      return client.from("things").insert({ name: "x" })
    }),
  "a read that is an effect": (look) =>
    Db.read((client) =>
      Effect.promise(async () => {
        look()
        await client.from("things").select("*")
        look()
      })
    ),
  "reads side by side": (look) => Effect.all([rows(look), rows(look), rows(look)], { concurrency: "unbounded" }),
  "a transaction": (look) =>
    Db.transaction([
      (client) => {
        look()
        return client.from("things").insert({ name: "x" })
      }
    ]),
  "gets that share a request": (look) =>
    Effect.suspend(() => {
      nextId += 1
      const id = nextId
      lookers.set(id, look)
      return shared.get(id)
    }),
  "gets of one row": (look) => Effect.zipRight(shared.get(1_000_000), Effect.sync(look)),
  "many rows at once": (look) =>
    Effect.suspend(() => {
      nextId += 1
      lookers.set(nextId, look)
      return shared.getMany([nextId])
    }),
  "a list": (look) => Db.table("things", Thing(look)).list(),
  "a stream": (look) =>
    Stream.runDrain(
      Stream.tap(Db.stream((client) => client.from("things").select("*").in("id", [1, 2])).pipe(Stream.take(3)), () =>
        Effect.sync(look)
      )
    ),
  "a connection while a function runs": (look) =>
    Effect.flatMap(Pool.ReadPool, (pool) => pool.use(() => Effect.zipRight(Effect.sync(look), Effect.sleep(1)))),
  "a connection while a scope is open": (look) =>
    Effect.scoped(
      Effect.flatMap(Pool.ReadPool, (pool) =>
        Effect.zipRight(pool.connection, Effect.zipRight(Effect.sync(look), Effect.sleep(1)))
      )
    )
}

/** What 40 callers at once see, the last of which is in no context. */
const seenBy = async (run: (look: Look) => Promise<unknown>) => {
  let looked = 0
  const wrong: Array<string> = []
  const one = async (own: number | undefined): Promise<void> => {
    const look = () => {
      looked += 1
      const seen = als.getStore()
      if (seen !== own) wrong.push(`${own} saw ${seen}`)
    }
    await run(look)
    look()
  }
  await Promise.all(
    callers.map((n) => (n === callers.length - 1 ? als.exit(() => one(undefined)) : als.run(n, () => one(n))))
  )
  // Each was asked at least once more than by `one`, or the way has no function of the caller's in it.
  expect(looked).toBeGreaterThanOrEqual(callers.length)
  return wrong
}

const checked = (values: Partial<Config.PoolOptionsInput> = {}) =>
  Health.layer.pipe(Layer.provideMerge(Db.layer), Layer.provide(Config.layerOf({ ...options(), ...values })))

describe("what a caller hands over, and what follows it, runs in the caller's async context", () => {
  for (const [what, way] of Object.entries(promiseWays)) {
    it.live(`in ${what} of the Promise API`, () =>
      Effect.promise(async () => {
        const db = createDatabase(options())
        expect(await seenBy((look) => way(db, look))).toEqual([])
        // Again, with the connections at hand.
        expect(await seenBy((look) => way(db, look))).toEqual([])
        await db.close()
      })
    )
  }

  for (const [what, way] of Object.entries(effectWays)) {
    it.live(`in ${what} of the Effect API`, () =>
      Effect.promise(async () => {
        const runtime = ManagedRuntime.make(Db.layerOf(options()))
        // What follows in the same fiber, too.
        const twice = (look: Look) =>
          runtime.runPromise(
            Effect.forEach([1, 2], () => Effect.zipRight(Effect.exit(way(look)), Effect.sync(look)), { discard: true })
          )
        expect(await seenBy(twice)).toEqual([])
        await runtime.dispose()
      })
    )
  }

  it.live("behind a health check that others wait for, too", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(checked())
      expect(await seenBy((look) => runtime.runPromise(Effect.zipRight(Health.check, Effect.sync(look))))).toEqual([])
      await runtime.dispose()
    })
  )

  it.live("behind a wait in vain", () =>
    Effect.promise(async () => {
      const db = createDatabase({ ...options(), maxConnections: 2, connectionTimeout: 20, maxRetries: 0 })
      const pool = db.getConnectionPool()
      const held = await pool.getConnection("read")
      const wrong = await seenBy((look) =>
        db.executeWithPool((client) => client.from("things").select("*")).catch(look)
      )
      expect(wrong).toEqual([])
      pool.releaseConnection(held)
      await db.close()
    })
  )

  it.live("for who listens to the pool's events", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(Db.layerOf(options()))
      const seen = new Set<number | undefined>()
      const listening = als.run(99, () =>
        runtime.runPromise(
          Effect.flatMap(Pool.ReadPool, (pool) =>
            pool.events.pipe(
              Stream.take(30),
              Stream.runForEach(() => Effect.sync(() => seen.add(als.getStore())))
            )
          )
        )
      )
      await seenBy((look) => runtime.runPromise(rows(look)))
      await listening
      expect([...seen]).toEqual([99])
      await runtime.dispose()
    })
  )
})

/** Runs `start` in a context, and tells in which contexts the pool connects and pings until it has pinged. */
const backgroundOf = async (start: () => Promise<unknown>) => {
  const sockets = new Set<number | undefined>()
  const pings = new Set<number | undefined>()
  let connected = 0
  let pinged: () => void
  const done = new Promise<void>((resolve) => {
    pinged = resolve
  })
  const onSocket = (): void => {
    connected += 1
    sockets.add(als.getStore())
  }
  // Those who trace what an application sends are told of no ping, so the socket is looked at.
  const { write } = Socket.prototype
  const onWrite = (head: unknown): void => {
    if (!String(head).startsWith("GET / ")) return
    pings.add(als.getStore())
    if (connected > 4) pinged()
  }
  channel.subscribe("net.client.socket", onSocket)
  Socket.prototype.write = function (this: Socket, ...given: ReadonlyArray<unknown>) {
    onWrite(given[0])
    return Reflect.apply(write, this, given)
  }
  try {
    await als.run(7, start)
    await done
  } finally {
    channel.unsubscribe("net.client.socket", onSocket)
    Socket.prototype.write = write
  }
  return { sockets: [...sockets], pings: [...pings] }
}

describe("what the pool does for itself belongs to no request", () => {
  const often = { keepaliveInterval: 20, maxLifetime: 50, enableHealthChecks: true, healthCheckInterval: 10 }

  it.live("neither to the one whose first use started the pools of the Promise API", () =>
    Effect.promise(async () => {
      const db = createDatabase({ ...options(), ...often })
      const seen = await backgroundOf(() => db.executeWithPool((client) => client.from("things").select("*")))
      expect(seen).toEqual({ sockets: [undefined], pings: [undefined] })
      await db.close()
    })
  )

  it.live("nor to the one in which the pools of the Effect API were built", () =>
    Effect.promise(async () => {
      const runtime = ManagedRuntime.make(checked(often))
      const seen = await backgroundOf(() => runtime.runPromise(rows(() => {})))
      expect(seen).toEqual({ sockets: [undefined], pings: [undefined] })
      await runtime.dispose()
    })
  )

  it.live("nor does it keep what that one held", () =>
    Effect.promise(async () => {
      setFlagsFromString("--expose-gc")
      const collect: unknown = runInNewContext("gc")
      const runtime = ManagedRuntime.make(checked())
      const held = new AsyncLocalStorage<object>()
      const built = await (async () => {
        const store = {}
        await held.run(store, () => runtime.runPromise(Effect.sleep(1)))
        return new WeakRef(store)
      })()
      for (let turn = 0; turn < 50 && built.deref() !== undefined; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        if (typeof collect === "function") collect()
      }
      expect(built.deref()).toBeUndefined()
      await runtime.dispose()
    })
  )

  it.live("nor to the span in which the pools were built", () =>
    Effect.gen(function* () {
      const holders = yield* Effect.gen(function* () {
        const pool = yield* Pool.ReadPool
        return yield* pool.events.pipe(
          Stream.filter(({ type }) => type === "acquired"),
          Stream.map(({ holder }) => holder),
          Stream.take(3),
          Stream.runCollect
        )
      }).pipe(Effect.provide(checked(often)), Effect.withSpan("the first request"))
      // Health checks hold connections; without a span a holder is a fiber's number.
      expect([...holders].map((holder) => holder.replace(/\d+/, ""))).toEqual(["#", "#", "#"])
    })
  )
})
