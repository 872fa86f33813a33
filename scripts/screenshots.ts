/**
 * The pictures in docs/images, of real runs: a server as `npm start` starts it, under load and with a leak; then a shop whose
 * database is slow, hangs, and cannot be reached.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdir } from "node:fs/promises"
import process from "node:process"
import { createInterface } from "node:readline"
import { setTimeout as wait } from "node:timers/promises"
import { HttpServer } from "@effect/platform"
import { Duration, Effect } from "effect"
import { type Browser, chromium } from "playwright-core"
import * as Pool from "../src/Pool.js"
import { type Mood, troubled } from "../test/support/troubledDatabase.js"
import { commandLine } from "./commandLine.js"
import { callers, shop, token } from "./screenshots/shop.js"

const help = `npm run screenshots [-- --whole]

Writes the pictures of the dashboard that the pages show: under load, after a leak, and in a bad time of its database. Takes
about five minutes; needs Chromium.

  --bad     the bad time only
  --whole   also the whole page after it, wide and on a phone
  --help    this text

Exit code: 0 when they are written, 1 when they are not, 2 when the options are wrong.`

const { values } = commandLine(help, {
  options: { bad: { type: "boolean", default: false }, whole: { type: "boolean", default: false } }
})

const folder = "docs/images"

const tsx = (args: ReadonlyArray<string>, env: Record<string, string> = {}): ChildProcess =>
  spawn(process.execPath, ["--import", "tsx", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"]
  })

/** The dashboard's address, as the server prints it; its build has ended when the page stands. */
const address = async (server: ChildProcess): Promise<string> => {
  if (server.stdout === null) throw new Error("the server has no output")
  for await (const line of createInterface({ input: server.stdout })) {
    const found = /^dashboard +(\S+)/.exec(line)?.[1]
    if (found !== undefined) return found
  }
  throw new Error("the server ended before it was ready")
}

interface Shot {
  readonly name: string
  readonly dark?: boolean
  readonly width?: number
  readonly height?: number
  readonly scale?: number
  readonly whole?: boolean
}

const take = async (browser: Browser, url: string, shot: Shot): Promise<void> => {
  const { dark = false, height = 860, name, scale = 1, whole = false, width = 1200 } = shot
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: dark ? "dark" : "light",
    isMobile: width < 500,
    timezoneId: "UTC"
  })
  await page.goto(url)
  await page.locator(".spm-tiles").waitFor({ timeout: 60_000 })
  await wait(1_500)
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: whole })
  await page.close()
  process.stdout.write(`${folder}/${name}.png\n`)
}

const load = (origin: string, seconds: number, atOnce: number): ChildProcess =>
  tsx(["examples/leak/load.ts", origin, String(seconds), String(atOnce)])

/** What the pages tell how to see: load, then a leak. */
const ordinary = async (browser: Browser): Promise<void> => {
  const server = tsx(["src/main.ts"], { PORT: "0", DB_POOL_LEAK_DETECTION_TIMEOUT: "12 seconds" })
  try {
    const url = await address(server)
    const { origin } = new URL(url)
    await take(browser, url, { name: "dashboard-empty" })
    load(origin, 70, 3)
    await wait(25_000)
    load(origin, 25, 9)
    await wait(12_000)
    tsx(["examples/leak/leak.ts", url, "2"])
    await wait(8_000)
    await take(browser, url, { name: "dashboard-load" })
    await wait(16_000)
    await take(browser, url, { name: "dashboard-leak", dark: true })
  } finally {
    server.kill("SIGTERM")
  }
}

const desk = { width: 1440, height: 900 }

const phone = { width: 390, height: 844, scale: 2, dark: true }

/** The moods of a bad quarter of an hour, in three minutes: for how long each lasts, in seconds, and what is photographed then. */
const badTime: ReadonlyArray<readonly [mood: Mood, seconds: number, shot?: Shot]> = [
  ["works", 25],
  ["slow", 20],
  ["works", 15],
  ["hangs", 22, { name: "dashboard-hangs", ...desk }],
  ["hangs", 23],
  ["away", 18, { name: "dashboard-away-phone", ...phone }],
  ["works", 12]
]

/** A shop whose database has a bad time. */
const bad = (browser: Browser) =>
  Effect.gen(function* () {
    const database = yield* troubled
    yield* Effect.gen(function* () {
      const page = `${yield* HttpServer.addressFormattedWith(Effect.succeed)}/#token=${token}`
      const shoot = (shot: Shot) => Effect.promise(() => take(browser, page, shot))
      yield* callers(25)
      for (const [mood, seconds, shot] of badTime) {
        yield* database.become(mood)
        yield* Effect.sleep(Duration.seconds(seconds))
        if (shot !== undefined) yield* shoot(shot)
      }
      for (const pool of [yield* Pool.ReadPool, yield* Pool.WritePool]) yield* pool.reset
      yield* Effect.sleep("4 seconds")
      yield* shoot({ name: "dashboard-after", ...desk })
      if (values.whole) {
        yield* shoot({ name: "whole-desk", whole: true, ...desk })
        yield* shoot({ name: "whole-phone", whole: true, ...phone })
      }
    }).pipe(Effect.provide(shop(database.url)))
  }).pipe(Effect.scoped)

await mkdir(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] })
try {
  if (!values.bad) await ordinary(browser)
  await Effect.runPromise(bad(browser))
} finally {
  await browser.close()
}
