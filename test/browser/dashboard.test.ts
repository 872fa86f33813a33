import { HttpServer } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, expect, it } from "@effect/vitest"
import axe from "axe-core"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import type { Browser, Page } from "playwright-core"
import * as Alerts from "../../src/Alerts.js"
import * as Config from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import { Dashboard } from "../../src/internal/http/page.js"
import * as DashboardBuild from "../../src/internal/server/dashboardBuild.js"
import * as Pool from "../../src/Pool.js"
import { browser, describeBrowser, open } from "../support/chromium.js"
import { server as countingServer } from "../support/countingServer.js"
import { type ServedOptions, served } from "../support/served.js"
import { troubled } from "../support/troubledDatabase.js"

const token = "browser-token-never-printed"

/** The page as it is built from these sources. */
const built = Effect.flatMap(DashboardBuild.make, ({ build, state }) => Effect.as(build, state)).pipe(
  Effect.provide(NodeContext.layer)
)

type Services = Layer.Layer.Success<ReturnType<typeof served>>

interface Running {
  readonly url: string
  readonly port: number
  /** With the services of the server. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>
  readonly stop: Effect.Effect<void>
}

const leakTimeout = "2 seconds"

// axe reads a page of some hundred elements, twice each time: a machine that has other work takes long for it.
describeBrowser("the dashboard in a browser", { timeout: 90_000 }, () => {
  const scope = Effect.runSync(Scope.make())
  let shared: { readonly chromium: Browser; readonly state: Dashboard["Type"] } | undefined
  const chromium = Effect.suspend(() =>
    shared === undefined ? Effect.dieMessage("not started") : Effect.succeed(shared)
  )

  beforeAll(async () => {
    const start = Effect.all({ chromium: browser, state: Effect.map(built, (it) => ({ state: Option.some(it) })) })
    shared = await Effect.runPromise(Scope.extend(start, scope))
  }, 120_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** A server over a database of its own, or of the port given. */
  const start = (options: ServedOptions = {}, databasePort?: number): Effect.Effect<Running, never, Scope.Scope> =>
    Effect.gen(function* () {
      const { state } = yield* chromium
      const port = databasePort ?? (yield* countingServer).port
      const own = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
      const context = yield* served(
        Config.SupabaseConfig.layerOf({
          url: `http://127.0.0.1:${port}`,
          anonKey: "anon-never-printed",
          serviceRoleKey: "service-never-printed"
        }),
        { adminToken: token, leakDetectionTimeout: leakTimeout, ...options },
        Alerts.layer({ interval: "500 millis", sinks: [] })
      ).pipe(Layer.provide(Layer.succeed(Dashboard, state)), Layer.buildWithScope(own), Effect.orDie)
      const { address } = Context.get(context, HttpServer.HttpServer)
      const listening = address._tag === "TcpAddress" ? address.port : 0
      return {
        url: `http://127.0.0.1:${listening}`,
        port: listening,
        run: (effect) => Effect.provide(effect, context),
        stop: Scope.close(own, Exit.void)
      }
    })

  const look = (running: Running, options: Parameters<typeof open>[2] = {}) =>
    Effect.flatMap(chromium, (it) => open(it.chromium, `${running.url}/#token=${token}`, options))

  const see = (page: Page, selector: string, text: string | RegExp) =>
    Effect.promise(() => page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 10_000 }))

  const tile = (page: Page, label: string, value: string | RegExp) =>
    Effect.promise(() =>
      page
        .locator(".spm-tile", { hasText: label })
        .locator(".spm-value")
        .filter({ hasText: value })
        .waitFor({ timeout: 10_000 })
    )

  it.scopedLive(
    "shows the pools as they change under load, asks nobody but its own server, and keeps the token out of the address",
    () =>
      Effect.gen(function* () {
        const running = yield* start()
        const { complaints, origins, page } = yield* look(running)
        yield* see(page, '[data-testid="link"]', "Live")
        expect(page.url()).toBe(`${running.url}/`)
        yield* tile(page, "Connections in use", /^0 of 20$/)
        const gate = yield* Deferred.make<void>()
        const hold = Effect.flatMap(Pool.ReadPool, (pool) => pool.use(() => Deferred.await(gate)))
        const holders = yield* Effect.fork(
          running.run(
            Effect.all(
              Array.from({ length: 13 }, () => hold),
              { concurrency: "unbounded" }
            )
          )
        )
        yield* tile(page, "Connections in use", /^10 of 20$/)
        yield* tile(page, "Waiting", /^3$/)
        yield* see(page, ".spm-banner-warn", "utilization is 100 %")
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holders)
        yield* tile(page, "Connections in use", /^0 of 20$/)
        const query = Db.read((client) => client.from("products").select("id").limit(1))
        yield* running.run(Effect.all(Array.from({ length: 20 }, () => query)))
        yield* see(page, ".spm-tile", "20 since start")
        yield* see(page, "td", "FROM products")
        const name = yield* Effect.promise(() =>
          page.getByRole("img", { name: /Read pool/ }).getAttribute("aria-label")
        )
        expect(name).toMatch(/active 0, at most 10; idle \d+/)
        expect({ origins: [...origins], complaints }).toEqual({ origins: [running.url], complaints: [] })
      })
  )

  it.scopedLive("shows a leak, who holds it, and that the pool took the connection back", () =>
    Effect.gen(function* () {
      const running = yield* start()
      const { page } = yield* look(running)
      yield* see(page, '[data-testid="link"]', "Live")
      const leak = Effect.flatMap(Pool.ReadPool, (pool) => pool.connection).pipe(
        Effect.zipRight(Effect.never),
        Effect.scoped,
        Effect.withSpan("the forgetful report")
      )
      yield* Effect.fork(Effect.ignore(running.run(leak)))
      yield* tile(page, "Connections in use", /^1 of 20$/)
      yield* see(page, "tr", /held too long.*the forgetful report/)
      yield* see(page, "tr", "taken back")
      yield* tile(page, "Leaks", /^1$/)
      yield* tile(page, "Connections in use", /^0 of 20$/)
      yield* see(page, ".spm-firing li", "connections leak")
      yield* Effect.promise(() => page.getByLabel("Show").selectOption("failures"))
      yield* see(page, ".spm-empty", "No connection failed.")
    })
  )

  it.scopedLive("resets the pools from the keyboard, after asking back", () =>
    Effect.gen(function* () {
      const running = yield* start({ minConnections: 2, maxConnections: 8 })
      const { page } = yield* look(running)
      const button = page.getByRole("button", { name: "Reset pools…" })
      yield* Effect.promise(() => button.focus())
      yield* Effect.promise(() => page.keyboard.press("Enter"))
      yield* see(page, "dialog[open]", "Replace every connection?")
      yield* Effect.promise(() => page.keyboard.press("Escape"))
      yield* Effect.promise(() => page.locator("dialog[open]").waitFor({ state: "detached" }))
      expect(yield* Effect.promise(() => button.evaluate((it) => it === document.activeElement))).toBe(true)
      yield* Effect.promise(() => button.press("Enter"))
      yield* Effect.promise(() => page.getByRole("button", { name: "Reset pools", exact: true }).press("Enter"))
      yield* see(page, ".spm-notice", "4 connections are being replaced.")
      yield* see(page, "tr", "closed: reset")
    })
  )

  it.scopedLive("says that the server is away, and goes on by itself when it is back", () =>
    Effect.gen(function* () {
      const database = yield* countingServer
      const first = yield* start({}, database.port)
      const { complaints, page } = yield* look(first)
      yield* see(page, '[data-testid="link"]', "Live")
      yield* first.stop
      yield* see(page, '[role="alert"]', "No news from the server")
      yield* see(page, '[data-testid="status"]', "unknown")
      yield* start({ port: first.port }, database.port)
      yield* see(page, '[data-testid="link"]', "server restarted")
      yield* see(page, '[data-testid="status"]', "healthy")
      expect(yield* Effect.promise(() => page.locator('[role="alert"]').count())).toBe(0)
      expect(complaints).toEqual([])
    })
  )

  it.scopedLive("without a token shows what is public, refuses a wrong one, and asks for the right one once", () =>
    Effect.gen(function* () {
      const running = yield* start()
      const { chromium: process } = yield* chromium
      const { page } = yield* open(process, running.url)
      yield* see(page, ".spm-facts", "0/20 active")
      const field = page.getByLabel("Admin token")
      yield* Effect.promise(() => field.fill("wrong"))
      yield* Effect.promise(() => field.press("Enter"))
      yield* see(page, '[role="alert"]', "not the token of this server")
      yield* Effect.promise(() => page.getByLabel("Admin token").fill(token))
      yield* Effect.promise(() => page.getByRole("button", { name: "Show everything" }).click())
      yield* tile(page, "Connections in use", /^0 of 20$/)
      yield* Effect.promise(() => page.reload())
      yield* tile(page, "Connections in use", /^0 of 20$/)
    })
  )

  const desk = { width: 1440, height: 900 }
  const phone = { width: 390, height: 844 }

  const orders = Db.read((client) => client.from("orders").select("id").eq("buyer", 7))

  it.scopedLive(
    "a database that hangs does not look well: what is wrong, what to do, which alert comes, and which query",
    () =>
      Effect.gen(function* () {
        const database = yield* troubled
        const running = yield* start({ leakDetectionTimeout: "1 minute" }, database.port)
        const { page } = yield* look(running)
        yield* see(page, '[data-testid="link"]', "Live")
        yield* running.run(orders)
        yield* database.become("hangs")
        const waiting = yield* Effect.fork(
          running.run(
            Effect.all(
              Array.from({ length: 14 }, () => Effect.ignore(orders)),
              { concurrency: "unbounded" }
            )
          )
        )
        yield* see(page, '.spm-banner-bad [role="alert"]', "answers none")
        yield* see(
          page,
          ".spm-figures",
          /nothing was answered for \d+ s · the oldest request is [\d.]+ s old: SELECT id FROM orders/
        )
        yield* see(page, ".spm-figures", "4 wait, the first for")
        yield* see(page, ".spm-steps", "pg_blocking_pids")
        yield* tile(page, "Error rate", "no answers")
        yield* tile(page, "Latency p95", /^> \d/)
        yield* tile(page, "Oldest request", /^\d+(\.\d)? s$/)
        yield* see(page, ".spm-pending li", /nearly exhausted \(warning\): fires in \d+ s if it lasts/)
        expect(yield* Effect.promise(() => page.getByText("No alert has fired").count())).toBe(0)
        for (const viewport of [desk, phone]) {
          yield* Effect.promise(() => page.setViewportSize(viewport))
          expect(yield* violations(page)).toEqual([])
          expect(yield* cutOff(page)).toEqual([])
        }
        yield* database.become("works")
        yield* Fiber.join(waiting)
        yield* see(page, ".spm-banner-info", "The database answers again")
        yield* see(page, ".spm-moment .spm-told", "Nothing was answered from then on")
        yield* see(page, ".spm-moment .spm-told", "The database answered again")
      })
  )

  it.scopedLive("the banner leads to the entry of the page that the server has for it", () =>
    Effect.gen(function* () {
      const running = yield* start({ leakDetectionTimeout: "1 minute" })
      const { page } = yield* look(running)
      const gate = yield* Deferred.make<void>()
      const hold = Effect.flatMap(Pool.ReadPool, (pool) => pool.use(() => Deferred.await(gate)))
      yield* Effect.fork(
        running.run(
          Effect.all(
            Array.from({ length: 10 }, () => hold),
            { concurrency: "unbounded" }
          )
        )
      )
      const link = page.getByRole("link", { name: "More: Pool exhaustion" })
      const address = yield* Effect.promise(() =>
        link.evaluate((it) => (it instanceof HTMLAnchorElement ? it.href : ""))
      )
      expect(address).toMatch(/^http:.*\/supabase-pool\/troubleshooting-[\w-]+\.html#pool-exhaustion$/)
      const { chromium: process } = yield* chromium
      const { page: entry } = yield* open(process, address, { viewport: phone })
      yield* see(entry, ":target", "Pool exhaustion")
      expect(yield* violations(entry)).toEqual([])
      expect(yield* cutOff(entry)).toEqual([])
      yield* Deferred.succeed(gate, undefined)
    })
  )

  it.scopedLive("a moment is picked in a chart, or by keyboard, and says which queries took its time", () =>
    Effect.gen(function* () {
      const running = yield* start()
      const { page } = yield* look(running)
      yield* running.run(Db.read((client) => client.from("products").select("id").limit(1)))
      yield* see(page, ".spm-moment .spm-code", "SELECT id FROM products LIMIT ?")
      yield* see(page, ".spm-moment h3", "now")
      const slider = page.getByRole("slider", { name: "Moment" })
      yield* Effect.promise(() => slider.press("Home"))
      yield* see(page, ".spm-moment h3", /\d\d:\d\d:\d\d/)
      expect(yield* Effect.promise(() => slider.getAttribute("aria-valuetext"))).toMatch(/^\d\d:\d\d:\d\d$/)
      yield* Effect.promise(() => page.getByRole("button", { name: "Back to now" }).press("Enter"))
      yield* see(page, ".spm-moment h3", "now")
      yield* Effect.promise(() => page.locator(".spm-chart .u-over").first().click())
      yield* see(page, ".spm-moment h3", /\d\d:\d\d:\d\d/)
    })
  )

  /** What is wider than the page, or than the box in which it scrolls. */
  const cutOff = (page: Page): Effect.Effect<ReadonlyArray<string>> =>
    Effect.promise(() =>
      page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll(".spm-scroll, .spm-card")]
          .filter((it) => it.scrollWidth > it.clientWidth + 1)
          .map((it) => `${it.className || it.tagName}: ${it.scrollWidth} in ${it.clientWidth}`)
      )
    )

  const violations = (page: Page): Effect.Effect<ReadonlyArray<string>> =>
    Effect.promise(async () => {
      await page.evaluate(axe.source)
      const found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ')))"
      )
      return Array.isArray(found) ? found.map(String) : ["axe gave nothing"]
    })

  it.scopedLive("has nothing that axe finds wrong, in light and dark, on a phone, with and without a token", () =>
    Effect.gen(function* () {
      const running = yield* start()
      yield* running.run(Db.read((client) => client.from("products").select("id").limit(1)))
      yield* running.run(Effect.flatMap(Pool.ReadPool, (pool) => pool.reset))
      for (const options of [
        { colorScheme: "light" },
        { colorScheme: "dark", viewport: { width: 360, height: 740 }, reducedMotion: "reduce" }
      ] as const) {
        const { page } = yield* look(running, options)
        yield* see(page, "td", "FROM products")
        yield* see(page, "tr", "closed: reset")
        expect(yield* violations(page)).toEqual([])
        const wide = yield* Effect.promise(() => page.evaluate(() => document.documentElement.scrollWidth - innerWidth))
        expect(wide).toBeLessThanOrEqual(0)
        yield* Effect.promise(() => page.getByRole("button", { name: "Reset pools…" }).click())
        expect(yield* violations(page)).toEqual([])
      }
      const { chromium: process } = yield* chromium
      const { page } = yield* open(process, running.url, { colorScheme: "dark" })
      yield* see(page, ".spm-facts", "active")
      expect(yield* violations(page)).toEqual([])
    })
  )
})
