import { createHash } from "node:crypto"
import { get } from "node:http"
import { connect } from "node:net"
import { describe, expect, it, vi } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Redacted, Schema, Scope } from "effect"
import { SupabaseConfig } from "../../src/Config.js"
import { Embedded, type EmbeddedDatabase, EmbeddedStartFailed, EmbeddedSupabase } from "../../src/embedded.js"
import { packages } from "../../src/internal/embedded/packages.js"
import { listen } from "../../src/internal/embedded/server.js"
import { statusOf } from "../../src/internal/postgrest/sqlstate.js"
import { as, counts, embedded, ids, userToken } from "../support/embedded.js"
import { runCode } from "../support/program.js"

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

interface Asked {
  readonly method?: string
  readonly key?: string
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const parsed = (text: string): unknown => (text === "" ? undefined : Schema.decodeUnknownSync(Schema.parseJson())(text))

/** A request as PostgREST gets it: what no client has interpreted yet. */
const ask = (path: string, asked: Asked = {}): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const key = asked.key ?? embedded.anonKey
    const response = await fetch(`${embedded.url}${path}`, {
      method: asked.method ?? "GET",
      headers: {
        apikey: key,
        authorization: `Bearer ${asked.token ?? key}`,
        "content-type": "application/json",
        ...asked.headers
      },
      signal,
      ...(asked.body === undefined ? {} : { body: JSON.stringify(asked.body) })
    })
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) }
  })

const call = (name: string, body: unknown, asked: Asked = {}): Effect.Effect<Answer> =>
  ask(`/rest/v1/rpc/${name}`, { method: "POST", body, ...asked })

const service: Asked = { key: embedded.serviceRoleKey }

const buyer = ids.user(12)
const otherBuyer = ids.user(13)
const seller = ids.user(2)

describe("the data set", () => {
  const inDataSet = (table: string, column: string, digit: number): Effect.Effect<number | null> =>
    Effect.promise(async () => {
      const { count } = await as
        .service()
        .from(table)
        .select("*", { count: "exact", head: true })
        .gte(column, `${digit}0000000-0000-4000-8000-000000000000`)
        .lte(column, `${digit}0000000-0000-4000-8000-999999999999`)
      return count
    })

  it.effect("holds 50 users, 50 profiles, 10 shops, 500 products and 300 orders", () =>
    Effect.gen(function* () {
      expect(yield* inDataSet("users", "id", 1)).toBe(50)
      expect(yield* inDataSet("profiles", "user_id", 1)).toBe(50)
      expect(yield* inDataSet("shops", "id", 2)).toBe(10)
      expect(yield* inDataSet("products", "id", 3)).toBe(500)
      expect(yield* inDataSet("orders", "id", 4)).toBe(300)
    })
  )

  it.effect("has one admin, ten sellers who own the shops, and buyers", () =>
    Effect.gen(function* () {
      const { data } = yield* Effect.promise(async () =>
        as.service().from("users").select("id, role").in("id", [1, 2, 11, 12, 50].map(ids.user)).order("id")
      )
      expect(data?.map(({ role }) => role)).toEqual(["admin", "seller", "seller", "buyer", "buyer"])
      const shops = yield* ask(`/rest/v1/shops?select=owner_id&id=in.(${ids.shop(1)},${ids.shop(10)})&order=id`)
      expect(shops.body).toEqual([{ owner_id: ids.user(2) }, { owner_id: ids.user(11) }])
    })
  )

  it.effect("is the same at each start", () =>
    Effect.gen(function* () {
      const products = yield* ask(
        "/rest/v1/products?select=*&id=lte.30000000-0000-4000-8000-999999999999&id=gte.30000000-0000-4000-8000-000000000000&order=id"
      )
      const orders = yield* ask(
        "/rest/v1/orders?select=*&id=lte.40000000-0000-4000-8000-999999999999&id=gte.40000000-0000-4000-8000-000000000000&order=id",
        service
      )
      const digest = createHash("sha256")
        .update(JSON.stringify([products.body, orders.body]))
        .digest("hex")
      expect(digest).toBe("6dd9de93bf489b91abebf1962075f0cb13a0d17e6bb0cf5785b00db8e57179c5")
    })
  )

  it.effect("finds many laptops", () =>
    Effect.gen(function* () {
      const found = yield* ask("/rest/v1/products?select=title,category&title=ilike.*laptop*")
      const rows = yield* Schema.decodeUnknown(
        Schema.Array(Schema.Struct({ title: Schema.String, category: Schema.String }))
      )(found.body)
      expect(rows.length).toBe(50)
      expect(rows.every(({ category }) => category === "laptops")).toBe(true)
      expect(new Set(rows.map(({ title }) => title)).size).toBe(50)
    })
  )

  it.effect("has orders whose total is the price times the quantity", () =>
    Effect.gen(function* () {
      const { body } = yield* ask("/rest/v1/orders?select=id,quantity,total,products(price)", service)
      const Orders = Schema.Array(
        Schema.Struct({
          id: Schema.String,
          quantity: Schema.Int,
          total: Schema.Number,
          products: Schema.Struct({ price: Schema.Number })
        })
      )
      const orders = (yield* Schema.decodeUnknown(Orders)(body)).filter(({ id }) => id.startsWith("40000000"))
      expect(orders.length).toBe(300)
      for (const order of orders) expect(order.total).toBeCloseTo(order.products.price * order.quantity, 2)
    })
  )
})

describe("row level security", () => {
  it.effect("shows an anonymous caller shops and products, and neither users, profiles nor orders", () =>
    Effect.gen(function* () {
      for (const table of ["users", "profiles", "orders"]) {
        expect((yield* ask(`/rest/v1/${table}`)).body).toEqual([])
      }
      for (const table of ["shops", "products"]) {
        expect((yield* ask(`/rest/v1/${table}?limit=1`)).body).toHaveLength(1)
      }
    })
  )

  it.effect("lets an anonymous caller write nothing", () =>
    Effect.gen(function* () {
      const made = yield* ask("/rest/v1/shops", { method: "POST", body: { name: "Anonymous", owner_id: buyer } })
      expect(made).toMatchObject({ status: 401, body: { code: "42501" } })
      const changed = yield* ask(`/rest/v1/products?id=eq.${ids.product(1)}`, { method: "PATCH", body: { stock: 0 } })
      expect(changed).toMatchObject({ status: 401, body: { code: "42501" } })
    })
  )

  it.effect("shows a user their own row, profile and orders, and nobody else's", () =>
    Effect.gen(function* () {
      const token = userToken(buyer)
      expect((yield* ask("/rest/v1/users?select=id", { token })).body).toEqual([{ id: buyer }])
      expect((yield* ask("/rest/v1/profiles?select=user_id", { token })).body).toEqual([{ user_id: buyer }])
      const own = yield* ask("/rest/v1/orders?select=buyer_id&id=gte.4", { token })
      expect(own.status).toBe(400)
      const { data } = yield* Effect.promise(async () => as.user(buyer).from("orders").select("buyer_id"))
      expect(data?.length).toBeGreaterThan(0)
      expect(new Set(data?.map(({ buyer_id }) => buyer_id))).toEqual(new Set([buyer]))
      expect((yield* ask(`/rest/v1/orders?buyer_id=eq.${otherBuyer}`, { token })).body).toEqual([])
    })
  )

  it.effect("lets a user write their own rows and nobody else's", () =>
    Effect.gen(function* () {
      const token = userToken(buyer)
      const asBuyer = { token, headers: { prefer: "return=representation" } }
      const order = { product_id: ids.product(3), quantity: 1, total: 1 }
      const made = yield* ask("/rest/v1/orders", { ...asBuyer, method: "POST", body: { ...order, buyer_id: buyer } })
      expect(made).toMatchObject({ status: 201, body: [{ buyer_id: buyer, status: "pending" }] })
      const [{ id }] = yield* Schema.decodeUnknown(Schema.Tuple(Schema.Struct({ id: Schema.UUID })))(made.body)
      const cancelled = yield* ask(`/rest/v1/orders?id=eq.${id}`, {
        ...asBuyer,
        method: "PATCH",
        body: { status: "cancelled" }
      })
      expect(cancelled.body).toMatchObject([{ id, status: "cancelled" }])
      expect((yield* ask(`/rest/v1/orders?id=eq.${id}`, { ...asBuyer, method: "DELETE" })).body).toHaveLength(1)

      const forOther = yield* ask("/rest/v1/orders", {
        ...asBuyer,
        method: "POST",
        body: { ...order, buyer_id: otherBuyer }
      })
      expect(forOther).toMatchObject({ status: 403, body: { code: "42501" } })
      const others = yield* ask(`/rest/v1/orders?buyer_id=eq.${otherBuyer}`, {
        ...asBuyer,
        method: "PATCH",
        body: { quantity: 99 }
      })
      expect(others.body).toEqual([])
      const theirProduct = yield* ask(`/rest/v1/products?id=eq.${ids.product(1)}`, {
        ...asBuyer,
        method: "PATCH",
        body: { price: 0 }
      })
      expect(theirProduct.body).toEqual([])
    })
  )

  it.effect("lets an owner manage the products of their shop only", () =>
    Effect.gen(function* () {
      const asSeller = { token: userToken(seller), headers: { prefer: "return=representation" } }
      const product = { title: "Row level security tester", price: 1, seller_id: seller }
      const made = yield* ask("/rest/v1/products", {
        ...asSeller,
        method: "POST",
        body: { ...product, shop_id: ids.shop(1) }
      })
      expect(made.status).toBe(201)
      const [{ id }] = yield* Schema.decodeUnknown(Schema.Tuple(Schema.Struct({ id: Schema.UUID })))(made.body)
      const elsewhere = yield* ask(`/rest/v1/products?id=eq.${id}`, {
        ...asSeller,
        method: "PATCH",
        body: { shop_id: ids.shop(2) }
      })
      expect(elsewhere).toMatchObject({ status: 403, body: { code: "42501" } })
      expect((yield* ask(`/rest/v1/products?id=eq.${id}`, { ...asSeller, method: "DELETE" })).body).toHaveLength(1)
      const foreign = yield* ask("/rest/v1/products", {
        ...asSeller,
        method: "POST",
        body: { ...product, shop_id: ids.shop(2) }
      })
      expect(foreign).toMatchObject({ status: 403, body: { code: "42501" } })
    })
  )

  it.effect("lets a user change their name and not their role", () =>
    Effect.gen(function* () {
      const asBuyer = { method: "PATCH", token: userToken(ids.user(14)), headers: { prefer: "return=representation" } }
      const path = `/rest/v1/users?id=eq.${ids.user(14)}`
      expect(yield* ask(path, { ...asBuyer, body: { name: "Nadia Nguyen" } })).toMatchObject({
        status: 200,
        body: [{ name: "Nadia Nguyen", role: "buyer" }]
      })
      expect(yield* ask(path, { ...asBuyer, body: { role: "admin" } })).toMatchObject({
        status: 403,
        body: { code: "42501", message: "a user may not change their own role" }
      })
      expect(yield* ask(path, { ...asBuyer, body: { id: ids.user(1) } })).toMatchObject({ status: 403 })
    })
  )

  it.effect("lets a newcomer register as a buyer and as nothing else", () =>
    Effect.gen(function* () {
      const newcomer = "10000000-aaaa-4000-8000-000000000001"
      const asNewcomer = { method: "POST", token: userToken(newcomer) }
      const row = { id: newcomer, email: "newcomer@example.com", name: "Newcomer" }
      expect(yield* ask("/rest/v1/users", { ...asNewcomer, body: { ...row, role: "admin" } })).toMatchObject({
        status: 403
      })
      expect((yield* ask("/rest/v1/users", { ...asNewcomer, body: row })).status).toBe(201)
      expect((yield* ask(`/rest/v1/users?id=eq.${newcomer}`, { ...service, method: "DELETE" })).status).toBe(204)
    })
  )

  it.effect("keeps an anonymous caller apart from the service role when their requests overlap", () =>
    Effect.gen(function* () {
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index % 2 === 0),
        (anonymous) => ask("/rest/v1/users?select=id&limit=1", anonymous ? {} : service),
        { concurrency: "unbounded" }
      )
      answers.forEach(({ body }, index) => {
        expect(body).toHaveLength(index % 2)
      })
    })
  )

  it.effect("refuses an unknown key and an access token of another signer", () =>
    Effect.gen(function* () {
      expect((yield* ask("/rest/v1/products", { key: "sb_publishable_other" })).status).toBe(401)
      expect((yield* ask("/rest/v1/products", { token: `${userToken(buyer)}x` })).status).toBe(401)
    })
  )
})

const Order = Schema.Struct({
  buyer_id: Schema.String,
  product_id: Schema.String,
  quantity: Schema.Int,
  total: Schema.Number,
  status: Schema.String,
  created_at: Schema.String,
  products: Schema.Struct({ shop_id: Schema.String, title: Schema.String })
})

describe("analytics", () => {
  const from = "2025-06-10T00:00:00Z"
  const to = "2025-08-01T00:00:00Z"

  /** The window lies in the past, so that rows which other tests make now are outside of it. */
  const salesOf = (shop: string | undefined): Effect.Effect<ReadonlyArray<typeof Order.Type>> =>
    ask("/rest/v1/orders?select=*,products(shop_id,title)", service).pipe(
      Effect.map(({ body }) =>
        Schema.decodeUnknownSync(Schema.Array(Order))(body).filter(
          (order) =>
            (order.status === "paid" || order.status === "shipped") &&
            order.created_at >= from &&
            order.created_at < to &&
            (shop === undefined || order.products.shop_id === shop)
        )
      )
    )

  const sum = (numbers: ReadonlyArray<number>): number => Math.round(numbers.reduce((a, b) => a + b, 0) * 100) / 100

  const grouped = <A>(
    rows: ReadonlyArray<A>,
    by: (row: A) => string
  ): ReadonlyArray<readonly [string, ReadonlyArray<A>]> => {
    const groups = new Map<string, Array<A>>()
    for (const row of rows) groups.set(by(row), [...(groups.get(by(row)) ?? []), row])
    return [...groups]
  }

  for (const shop of [undefined, ids.shop(2)]) {
    const filters = { from_time: from, to_time: to, ...(shop === undefined ? {} : { shop_id: shop }) }
    const whose = shop === undefined ? "all shops" : "one shop"

    it.effect(`sales of ${whose} are those that adding up the orders gives`, () =>
      Effect.gen(function* () {
        const orders = yield* salesOf(shop)
        const { body } = yield* call("analytics_sales", filters, service)
        const expected = grouped(orders, ({ created_at }) => created_at.slice(0, 10))
          .map(([day, of]) => ({
            day,
            orders: of.length,
            units: sum(of.map(({ quantity }) => quantity)),
            revenue: sum(of.map(({ total }) => total)),
            average_order: expect.closeTo(sum(of.map(({ total }) => total)) / of.length, 1)
          }))
          .sort((a, b) => a.day.localeCompare(b.day))
        expect(orders.length).toBeGreaterThan(5)
        expect(body).toEqual(expected)
      })
    )

    it.effect(`products of ${whose} are ranked by what adding up the orders gives`, () =>
      Effect.gen(function* () {
        const orders = yield* salesOf(shop)
        const { body } = yield* call("analytics_products", filters, service)
        const expected = grouped(orders, ({ product_id }) => product_id)
          .map(([product_id, of]) => ({
            product_id,
            orders: of.length,
            units: sum(of.map(({ quantity }) => quantity)),
            revenue: sum(of.map(({ total }) => total))
          }))
          .sort((a, b) => b.revenue - a.revenue || a.product_id.localeCompare(b.product_id))
        expect(body).toMatchObject(expected)
        expect(body).toHaveLength(expected.length)
      })
    )

    it.effect(`users of ${whose} are counted by role, and buyers with what they spent`, () =>
      Effect.gen(function* () {
        const orders = yield* salesOf(shop)
        const { body } = yield* call("analytics_users", filters, service)
        expect(body).toMatchObject([
          { role: "admin", active_buyers: 0, revenue: 0 },
          {
            role: "buyer",
            active_buyers: new Set(orders.map(({ buyer_id }) => buyer_id)).size,
            revenue: sum(orders.map(({ total }) => total))
          },
          { role: "seller", active_buyers: 0, revenue: 0 }
        ])
      })
    )
  }

  it.effect("every filter may be left out, and a GET asks as well as a POST", () =>
    Effect.gen(function* () {
      const all = yield* ask("/rest/v1/rpc/analytics_sales", service)
      const shop = yield* ask(`/rest/v1/rpc/analytics_sales?shop_id=${ids.shop(1)}&from_time=2025-06-01`, service)
      expect(all.status).toBe(200)
      expect(shop.status).toBe(200)
    })
  )

  it.effect("a caller's report covers what row level security shows them", () =>
    Effect.gen(function* () {
      expect((yield* call("analytics_sales", {})).body).toEqual([])
      const own = yield* call("analytics_users", {}, { token: userToken(buyer) })
      expect(own.body).toMatchObject([{ role: "buyer", users: 1, active_buyers: 1 }])
    })
  )
})

describe("answers as PostgREST gives them", () => {
  it.effect("a broken constraint keeps its SQLSTATE", () =>
    Effect.gen(function* () {
      const products = `/rest/v1/products?id=eq.${ids.product(1)}`
      expect(yield* ask(products, { ...service, method: "PATCH", body: { price: -1 } })).toMatchObject({
        status: 400,
        body: { code: "23514", message: expect.stringContaining("products_price_check") }
      })
      expect(
        yield* ask("/rest/v1/users", { ...service, method: "POST", body: { email: "ada.almeida@example.com" } })
      ).toMatchObject({ status: 409, body: { code: "23505" } })
      expect(
        yield* ask("/rest/v1/shops", { ...service, method: "POST", body: { name: "Ownerless", owner_id: ids.shop(1) } })
      ).toMatchObject({ status: 409, body: { code: "23503" } })
    })
  )

  it.effect("an error that a function raises keeps its SQLSTATE, its detail and its hint", () =>
    Effect.gen(function* () {
      const raised = { message: "no", detail: '{"step":2}', hint: "try" }
      const answer = (code: string) => call("fail_with", { code, ...raised })
      const body = { message: "no", details: '{"step":2}', hint: "try" }
      expect(yield* answer("P0001")).toMatchObject({ status: 400, body: { code: "P0001", ...body } })
      expect(yield* answer("40001")).toMatchObject({ status: 500, body: { code: "40001", ...body } })
      expect(yield* answer("53300")).toMatchObject({ status: 503, body: { code: "53300", ...body } })
      expect(yield* answer("ZZ123")).toMatchObject({ status: 400, body: { code: "ZZ123", ...body } })
      expect(yield* answer("PT418")).toMatchObject({ status: 418, body: { code: "PT418" } })
    })
  )

  it("gives every class of SQLSTATE the status that PostgREST documents", () => {
    expect(["08006", "28000", "40P01", "53400", "57014", "P0001", "P0003", "23514", "ABCDE"].map(statusOf)).toEqual([
      503, 403, 500, 500, 500, 400, 500, 400, 400
    ])
  })

  it.effect("numbers are numbers and times are ISO 8601", () =>
    Effect.gen(function* () {
      const { body } = yield* ask("/rest/v1/notes", {
        ...service,
        method: "POST",
        body: { id: "50000000-0000-4000-8000-000000000001", amount: 19.9, at: "2025-01-01T10:00:00Z" },
        headers: { prefer: "return=representation" }
      })
      expect(body).toMatchObject([{ amount: 19.9, at: "2025-01-01T10:00:00+00:00" }])
    })
  )

  it.effect("the root answers HEAD as it does GET", () =>
    Effect.gen(function* () {
      expect((yield* ask("/rest/v1/", { ...service, method: "HEAD" })).status).toBe(200)
    })
  )

  it.effect("no page with a name of its own is answered: names of this machine only", () =>
    Effect.gen(function* () {
      const statusOf = (host: string) =>
        Effect.async<number>((resume) => {
          get(`${embedded.url}/rest/v1/shops?limit=1`, { headers: { host, apikey: embedded.anonKey } }, (response) => {
            response.resume()
            resume(Effect.succeed(response.statusCode ?? 0))
          })
        })
      for (const host of ["localhost", "127.0.0.1:54321", "[::1]"]) expect(yield* statusOf(host)).toBe(200)
      for (const host of ["rebound.example", "localhost.rebound.example"]) expect(yield* statusOf(host)).toBe(421)
    })
  )

  it.effect("a socket's patience is advertised", () =>
    Effect.gen(function* () {
      expect((yield* ask("/rest/v1/shops?limit=1")).headers.get("keep-alive")).toBe("timeout=60")
    })
  )
})

describe("taking turns", () => {
  it.live("a slow answer holds up no other", () =>
    Effect.gen(function* () {
      const slow = yield* Effect.fork(call("slow", { ms: 60_000 }))
      expect((yield* ask("/rest/v1/shops?limit=1")).status).toBe(200)
      const { aborted } = yield* counts
      yield* slow.interruptAsFork(slow.id())
      yield* Effect.repeat(Effect.zipLeft(counts, Effect.sleep("10 millis")), { until: (now) => now.aborted > aborted })
    })
  )

  it.scopedLive("a port that is none is an error that says so, and no defect", () =>
    Effect.gen(function* () {
      const answer = () => Promise.resolve(new Response())
      const times = { keepAliveTimeout: Duration.seconds(1), stopGrace: Duration.seconds(1) }
      for (const port of [-1, 65_536, Number.NaN]) {
        const error = yield* Effect.flip(listen(yield* packages, answer, { host: "127.0.0.1", port, ...times }))
        expect(error.stage).toBe("listen")
        expect(error.message).toContain("Choose another port")
      }
    })
  )

  it.live("a caller that stalls in the middle of a body holds up no other", () =>
    Effect.gen(function* () {
      const { hostname, port } = new URL(embedded.url)
      const { requests } = yield* counts
      const socket = connect(Number(port), hostname)
      socket.write(
        `POST /rest/v1/notes HTTP/1.1\r\nHost: localhost\r\napikey: ${embedded.anonKey}\r\nContent-Length: 9\r\n\r\n{`
      )
      yield* Effect.repeat(Effect.zipLeft(counts, Effect.sleep("10 millis")), {
        until: (now) => now.requests > requests
      })
      expect((yield* ask("/rest/v1/shops?limit=1")).status).toBe(200)
      socket.destroy()
    })
  )

  it.live("a request whose caller leaves while it waits for its turn is not executed", () =>
    Effect.gen(function* () {
      const id = "50000000-0000-4000-8000-000000000002"
      const { requests } = yield* counts
      const standing = yield* Effect.fork(call("standstill", { ms: 2_000 }))
      // Two sockets: who is first is for the network to say, unless one has a start.
      yield* Effect.sleep("300 millis")
      const waiting = yield* Effect.fork(ask("/rest/v1/notes", { ...service, method: "POST", body: { id } }))
      // Sent, and surely behind the other; the server itself cannot be asked while it stands still.
      yield* Effect.sleep("500 millis")
      yield* waiting.interruptAsFork(waiting.id())
      yield* standing.await
      expect((yield* counts).requests).toBeGreaterThan(requests)
      expect((yield* ask(`/rest/v1/notes?id=eq.${id}`)).body).toEqual([])
    })
  )
})

it.effect("a request that is refused in the middle of its transaction leaves none open for the next", () =>
  Effect.gen(function* () {
    const broken = yield* ask("/rest/v1/tx_fuzz?n=eq.none", { ...service, method: "PATCH", body: { n: 1 } })
    expect(broken.body).toMatchObject({ code: "22P02" })
    expect((yield* ask("/rest/v1/shops?limit=1")).status).toBe(200)
  })
)

it.scopedLive("loading what it needs leaves the process its own warnings, also while it loads, twice at once", () =>
  Effect.gen(function* () {
    const { failed, output } = yield* runCode(`
      import { Effect } from "effect"
      import { packages } from "../src/internal/embedded/packages.js"
      const before = process.emitWarning
      const told = new Promise((done) => process.once("warning", done))
      const often = setInterval(() => process.emitWarning(new Error("of an application")), 0)
      await Effect.runPromise(Effect.all([packages, Effect.delay(packages, "20 millis")], { concurrency: 2 }))
      clearInterval(often)
      console.log(process.emitWarning === before, String(await told))
    `)
    expect(failed, output).toBe(false)
    expect(output).toContain("true Error: of an application")
  })
)

it.effect("the database's process connects to nothing and looks up no name", () =>
  Effect.gen(function* () {
    yield* ask("/rest/v1/shops?limit=1")
    expect((yield* counts).outward).toEqual([])
  })
)

describe("starting and stopping", () => {
  const small = {
    migrations: ["create table public.words (word text)"],
    seed: "insert into public.words values ('one');"
  }

  const connected = (url: string): Effect.Effect<boolean> =>
    Effect.async((resume) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      socket.once("connect", () => {
        socket.destroy()
        resume(Effect.succeed(true))
      })
      socket.once("error", () => resume(Effect.succeed(false)))
    })

  it.live("stopping cuts the sockets that clients hold open, also in the middle of an answer", () =>
    Effect.gen(function* () {
      const sql = `create function public.slow() returns void language sql as
        $$ select set_config('response.headers', '[{"Embedded-Delay": "60000"}]', true) $$`
      const own = yield* Scope.make()
      const database: EmbeddedDatabase = yield* Scope.extend(Embedded.make({ migrations: [sql] }), own)
      const key = Redacted.value(database.anonKey)
      const under = yield* Effect.fork(
        Effect.tryPromise(() => fetch(`${database.url}/rest/v1/rpc/slow`, { method: "POST", headers: { apikey: key } }))
      )
      yield* Effect.repeat(Effect.zipLeft(database.counts, Effect.sleep("10 millis")), {
        until: ({ open }) => open === 1
      })
      expect(yield* connected(database.url)).toBe(true)
      yield* Scope.close(own, Exit.void)
      expect((yield* database.counts).open).toBe(0)
      expect(Exit.isFailure(yield* under.await)).toBe(true)
      expect(yield* connected(database.url)).toBe(false)
    })
  )

  it.live("a start that fails leaves nothing open and says what to do", () =>
    Effect.gen(function* () {
      const console_ = console.error
      const before = process.getActiveResourcesInfo().filter((kind) => kind === "TCPServerWrap").length
      const refused = yield* Effect.flip(Effect.scoped(Embedded.make({ migrations: ["create table ;"] })))
      expect(refused).toBeInstanceOf(EmbeddedStartFailed)
      expect(refused.stage).toBe("migration")
      expect(refused.message).toContain("PostgreSQL refused the migration number 1 of the list")
      expect(refused.message).toContain("syntax error")
      expect(process.getActiveResourcesInfo().filter((kind) => kind === "TCPServerWrap").length).toBe(before)
      expect(console.error).toBe(console_)
    })
  )

  it.live("a package that is not installed is named, and how to install it", () =>
    Effect.gen(function* () {
      vi.doMock("@supabase/lite", () => Promise.reject(new Error("Cannot find package '@supabase/lite'")))
      const refused = yield* Effect.flip(Effect.scoped(Embedded.make(small)))
      vi.doUnmock("@supabase/lite")
      expect(refused.stage).toBe("package")
      expect(refused.message).toContain("npm install --save-dev @supabase/lite")
    })
  )

  it.live("a path that does not exist is named before anything is started", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(Effect.scoped(Embedded.make({ migrations: "/nowhere/migrations" })))
      expect(refused.stage).toBe("files")
      expect(refused.message).toContain("/nowhere/migrations")
    })
  )

  it.live("a taken port is named, and the database behind it is closed again", () =>
    Effect.gen(function* () {
      const port = Number(new URL(embedded.url).port)
      const refused = yield* Effect.flip(Effect.scoped(Embedded.make({ ...small, port })))
      expect(refused.stage).toBe("listen")
      expect(refused.message).toContain(`port ${port}`)
      expect(refused.message).toContain("EADDRINUSE")
    })
  )

  const keys = {
    anonKey: Redacted.make("known-anon-never-printed"),
    serviceRoleKey: Redacted.make("known-service-never-printed")
  }

  it.live("the layer provides what the pools need, with the given keys, migrations and seed and no others", () =>
    Effect.gen(function* () {
      const { url, anonKey } = yield* SupabaseConfig
      const database = yield* EmbeddedSupabase
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      const key = Redacted.value(anonKey)
      expect(key).toBe("known-anon-never-printed")
      const words = yield* Effect.promise(() => fetch(`${url}/rest/v1/words`, { headers: { apikey: key } }))
      expect(yield* Effect.promise(() => words.json())).toEqual([{ word: "one" }])
      expect(database.url).toBe(url)
    }).pipe(Effect.provide(Layer.fresh(Embedded.layerOf({ ...small, keys }))))
  )
})
