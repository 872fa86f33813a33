/**
 * A real browser for tests of what people see. Where there is none they are skipped, and CI takes no skip.
 */
import { existsSync } from "node:fs"
import { describe } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path)
)

if (executablePath === undefined) {
  process.stdout.write("No Chromium on this machine (Debian: apt-get install chromium): its tests are skipped.\n")
}

/** As `describe`, where there is a browser. */
export const describeBrowser = describe.skipIf(executablePath === undefined)

export const browser: Effect.Effect<Browser, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      // Root, as in CI, has no sandbox of its own; /dev/shm is small in containers.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    })
  ),
  (running) => Effect.promise(() => running.close())
)

export interface Observed {
  readonly page: Page
  /** Of each request, its origin. */
  readonly origins: Set<string>
  /** What the browser complained of: errors of scripts, and violations of the policy. */
  readonly complaints: Array<string>
}

/** A page of its own, of which everything is seen that it asks for and complains of. */
export const open = (
  running: Browser,
  url: string,
  options: BrowserContextOptions = {}
): Effect.Effect<Observed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => running.newContext(options)),
      (it) => Effect.promise(() => it.close())
    )
    const page = yield* Effect.promise(() => context.newPage())
    const origins = new Set<string>()
    const complaints: Array<string> = []
    page.on("request", (request) => origins.add(new URL(request.url()).origin))
    page.on("pageerror", (error) => complaints.push(error.message))
    page.on("console", (message) => {
      if (/Content Security Policy|Uncaught|Warning:/.test(message.text())) complaints.push(message.text())
    })
    yield* Effect.promise(() => page.goto(url))
    return { page, origins, complaints }
  })
