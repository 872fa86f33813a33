/** The examples for Next.js: built by both of its bundlers, with the package bundled and external, and served. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cp, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"
import { createInterface } from "node:readline"
import type { Node } from "../matrix/node.js"
import { tryContext } from "./context.js"
import { type Outcome, type Report, run } from "./report.js"
import type { Database } from "./server.js"
import { tryUsers, type Users } from "./users.js"
import type { Work } from "./work.js"

interface App {
  readonly example: string
  readonly flags: ReadonlyArray<string>
  /** Instead of bundling the package. */
  readonly external?: boolean
  readonly withoutEnvironment?: boolean
}

const apps: Readonly<Record<string, App>> = {
  "next-turbopack": { example: "nextjs", flags: [] },
  "next-webpack": { example: "nextjs", flags: ["--webpack"] },
  "next-external": { example: "nextjs", flags: [], external: true },
  "next-no-environment": { example: "nextjs", flags: [], withoutEnvironment: true },
  "next-without-cache-turbopack": { example: "nextjs-without-cache-components", flags: [] },
  "next-without-cache-webpack": { example: "nextjs-without-cache-components", flags: ["--webpack"] }
}

export const nextApps: ReadonlyArray<string> = Object.keys(apps)

const quiet = { NEXT_TELEMETRY_DISABLED: "1", CI: "1", NO_COLOR: "1" }

const folderOf = async (name: string, { example, external, withoutEnvironment }: App, work: Work): Promise<string> => {
  const folder = join(work.folder, name)
  await cp(join("examples", example), folder, { recursive: true })
  if (example === "nextjs" && withoutEnvironment !== true)
    await cp("test/bundlers/context", folder, { recursive: true })
  if (external === true) {
    const path = join(folder, "next.config.ts")
    const config = await readFile(path, "utf8")
    const wanted = 'NextConfig = {\n  serverExternalPackages: ["effect-supabase-pool"],'
    await writeFile(path, config.replace("NextConfig = {", wanted))
  }
  return folder
}

const build = (folder: string, flags: ReadonlyArray<string>, node: Node, env: Readonly<Record<string, string>>) =>
  run(node.path, ["../node_modules/next/dist/bin/next", "build", ...flags], folder, { ...quiet, ...env })

interface Served {
  readonly url: string
  readonly printed: () => string
  readonly stop: () => Promise<void>
}

const start = async (folder: string, node: Node, env: Readonly<Record<string, string>>): Promise<Served> => {
  const { HOME = "", PATH = "" } = process.env
  const args = ["../node_modules/next/dist/bin/next", "start", "--port", "0", "--hostname", "127.0.0.1"]
  const child: ChildProcess = spawn(node.path, args, {
    cwd: folder,
    env: { HOME, PATH, NODE_ENV: "production", ...quiet, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let printed = ""
  const ended = once(child, "exit")
  const url = await new Promise<string>((done, fail) => {
    for (const output of [child.stdout, child.stderr]) {
      if (output === null) continue
      createInterface({ input: output }).on("line", (line) => {
        printed += `${line}\n`
        const found = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(line)
        if (found !== null) done(found[0])
      })
    }
    ended.then(() => fail(new Error(`next start ended:\n${printed}`)), fail)
  })
  return {
    url,
    printed: () => printed,
    stop: async () => {
      child.kill("SIGTERM")
      await ended
    }
  }
}

interface Page {
  readonly path: string
  readonly text: RegExp
  /** Made in the build. */
  readonly isStatic?: boolean
}

const pages: Readonly<Record<string, ReadonlyArray<Page>>> = {
  nextjs: [
    { path: "/?q=la", text: /Searching…[\s\S]*Laptop/ },
    { path: "/newest", text: /Loading…[\s\S]*Laptop/ },
    { path: "/products/11111111-1111-4111-8111-111111111111", text: /value="Laptop"/ },
    { path: "/api/products?q=la", text: /^\[\{"id":".*"title":"Laptop"/ },
    { path: "/api/database", text: /"status":"healthy"/ },
    { path: "/status", text: /Asking the database…[\s\S]*The database is .*healthy/ },
    { path: "/shops", text: /Corner Shop/, isStatic: true },
    { path: "/admin", text: /Database pool/, isStatic: true }
  ],
  "nextjs-without-cache-components": [
    { path: "/", text: /Laptop/ },
    { path: "/api/products?q=la", text: /^\[\{"id":".*"title":"Laptop"/ },
    { path: "/shops", text: /Corner Shop/, isStatic: true },
    { path: "/admin", text: /Database pool/, isStatic: true }
  ]
}

/** Of the pages that were made in the build. */
const prerendered = async (folder: string): Promise<Readonly<Record<string, unknown>>> =>
  JSON.parse(await readFile(join(folder, ".next/prerender-manifest.json"), "utf8")).routes

const tryPages = async (
  { example }: App,
  folder: string,
  { printed, url }: Served,
  what: string,
  report: Report
): Promise<void> => {
  const made = await prerendered(folder)
  for (const { isStatic = false, path, text } of pages[example] ?? []) {
    const response = await fetch(url + path)
    const body = await response.text()
    const right = response.status === 200 && text.test(body) && (!isStatic || path in made)
    const how = isStatic ? "was made in the build" : "answers"
    report.expect(`${what}: ${path} ${how}`, right, `${response.status}\n${body.slice(0, 4_000)}\n${printed()}`)
  }
}

/** As a browser without JavaScript sends the form. */
const tryAction = async (served: Served, database: Database, what: string, report: Report): Promise<void> => {
  const page = `${served.url}/products/11111111-1111-4111-8111-111111111111`
  const form = new FormData()
  const html = await (await fetch(page)).text()
  for (const [, name = ""] of html.matchAll(/name="(\$ACTION_[^"]*)"/g)) form.set(name, "")
  form.set("id", "11111111-1111-4111-8111-111111111111")
  form.set("title", "Better laptop")
  const response = await fetch(page, { method: "POST", body: form, redirect: "manual" })
  const written = database.seen.some(({ body, method }) => method === "PATCH" && body.includes("Better laptop"))
  report.expect(`${what}: a server action writes`, response.status === 303 && written, `${response.status}\n${html}`)
}

const failedAsTold = ({ code, output }: Outcome): boolean =>
  code !== 0 && output.includes("SUPABASE_URL: missing") && /prerendering page "\/(shops|newest)"/.test(output)

export const tryNext = async (
  name: string,
  work: Work,
  database: Database,
  nodes: ReadonlyArray<Node>,
  report: Report,
  users: () => Promise<Users>
): Promise<void> => {
  const app = apps[name]
  if (app === undefined) return
  const folder = await folderOf(name, app, work)
  for (const node of nodes) {
    const what = `${name}, Node ${node.version}`
    if (app.withoutEnvironment === true) {
      const built = await build(folder, app.flags, node, {})
      report.expect(
        `${what}: a build without SUPABASE_* names the page and the variable`,
        failedAsTold(built),
        built.output
      )
      continue
    }
    const env = { ...database.env, DB_POOL_MAX_CONNECTIONS: "8" }
    const built = await build(folder, app.flags, node, env)
    if (!report.expect(`${what}: next build`, built.code === 0, built.output)) continue
    const served = await start(folder, node, env)
    try {
      await tryPages(app, folder, served, what, report)
      if (app.example === "nextjs") {
        await tryAction(served, database, what, report)
        await tryContext(served.url, what, report)
      }
    } finally {
      await served.stop()
    }
    if (app.example === "nextjs") await trySignedIn(folder, node, await users(), what, report)
  }
}

/** The same build, served for a database with row level security. */
const trySignedIn = async (folder: string, node: Node, users: Users, what: string, report: Report): Promise<void> => {
  const served = await start(folder, node, { ...users.env, DB_POOL_MAX_CONNECTIONS: "8" })
  try {
    await tryUsers(served.url, users, what, report)
  } finally {
    await served.stop()
  }
}
