/**
 * The pictures in docs/images, of a real run: starts the server as `npm start` does, puts load on it, causes a leak, and
 * photographs the dashboard.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdir } from "node:fs/promises"
import process from "node:process"
import { createInterface } from "node:readline"
import { setTimeout as wait } from "node:timers/promises"
import { type Browser, chromium } from "playwright-core"
import { commandLine } from "./commandLine.js"

const help = `npm run screenshots [-- --whole]

Writes the pictures of the dashboard that the pages show. Takes about two minutes; needs Chromium.

  --whole   also the whole page, wide and on a phone
  --help    this text

Exit code: 0 when they are written, 1 when they are not, 2 when the options are wrong.`

const { values } = commandLine(help, { options: { whole: { type: "boolean", default: false } } })

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

await mkdir(folder, { recursive: true })
const server = tsx(["src/main.ts"], { PORT: "0", DB_POOL_LEAK_DETECTION_TIMEOUT: "12 seconds" })
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] })
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
  await take(browser, url, { name: "dashboard-phone", dark: true, width: 360, height: 780, scale: 2 })
  if (values.whole) {
    await take(browser, url, { name: "whole-light", whole: true })
    await take(browser, url, { name: "whole-phone", whole: true, width: 360, height: 780 })
  }
} finally {
  await browser.close()
  server.kill("SIGTERM")
}
