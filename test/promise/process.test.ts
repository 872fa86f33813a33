/** What a process sees that imports the Promise API: each test runs a script in a process of its own. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import { pathToFileURL } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { embedded, ids } from "../support/embedded.js"
import { program, root } from "../support/program.js"

const promise = pathToFileURL(program("src/promise.ts")).href

const database = {
  SUPABASE_URL: embedded.url,
  SUPABASE_ANON_KEY: embedded.anonKey,
  SUPABASE_SERVICE_ROLE_KEY: embedded.serviceRoleKey
}

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

const closers: Array<() => void> = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** Longer than any start, shorter than any interval of the pool. */
const limit = 15_000

interface Script {
  /** Not so when the script imports the sources as they are, each a module of its own. */
  readonly compiled?: boolean
  readonly environment?: Record<string, string>
  /** Sent when the script prints `ready`. */
  readonly signal?: NodeJS.Signals
}

/** Runs until the process ends by itself; what does not end is killed, and then `signal` says so. */
const run = async (code: string, { compiled = true, environment = database, signal }: Script = {}): Promise<Ended> => {
  const child = spawn(
    process.execPath,
    [...(compiled ? [] : ["--import", "tsx"]), "--unhandled-rejections=strict", "--input-type=module", "-e", code],
    {
      cwd: root,
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    }
  )
  const timer = setTimeout(() => child.kill("SIGKILL"), limit)
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk)
    if (signal !== undefined && stdout.includes("ready")) child.kill(signal)
  })
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk)
  })
  await once(child, "close")
  clearTimeout(timer)
  return { code: child.exitCode, signal: child.signalCode, stdout: stdout.trim(), stderr: stderr.trim() }
}

const serve = async (listener: RequestListener) => {
  let opened = 0
  const server = createServer(listener)
  server.on("connection", () => {
    opened += 1
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    environment: { ...database, SUPABASE_URL: `http://127.0.0.1:${port}` },
    opened: () => opened,
    stop: async () => {
      server.close()
      await once(server, "close")
    }
  }
}

const json = (response: Parameters<RequestListener>[1], status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

const endedWell = { code: 0, signal: null, stderr: "" }

describe("a script", () => {
  it("that does one query ends by itself, with code 0 and without a word", async () => {
    const ended = await run(`
      import { executeWithPool } from "${promise}"
      const { data } = await executeWithPool(async (client) =>
        await client.from("products").select("id").eq("id", "${ids.product(1)}"))
      console.log(JSON.stringify(data))
    `)
    expect(ended).toEqual({ ...endedWell, stdout: JSON.stringify([{ id: ids.product(1) }]) })
  })

  it("that only imports needs no environment and installs no signal handler", async () => {
    const ended = await run(
      `
      const before = process.eventNames().length
      await import("${promise}")
      console.log(process.eventNames().length - before, process.listenerCount("SIGTERM"), process.listenerCount("SIGINT"))
      `,
      { environment: {} }
    )
    expect(ended).toEqual({ ...endedWell, stdout: "0 0 0" })
  })

  it("that queries by every member, takes a connection and never releases it, still ends", async () => {
    const ended = await run(`
      import { checkDatabaseHealth, db, executeWithPool, getConnectionPool, getPooledClient } from "${promise}"
      await Promise.all([
        executeWithPool((client) => client.from("products").select("id").limit(1)),
        getPooledClient().write((client) => client.rpc("supabase_pool_ping")),
        db.transaction([(client) => client.from("products").select("id").limit(1)]),
        checkDatabaseHealth()
      ])
      const kept = await getConnectionPool().getConnection("read")
      console.log(kept.isActive)
    `)
    expect(ended).toEqual({ ...endedWell, stdout: "true" })
  })

  it("that waits for a retry lives until it has its answer", async () => {
    let asked = 0
    const { environment } = await serve((_, response) => {
      asked += 1
      if (asked > 1) return json(response, 200, [{ id: 1 }])
      json(response, 503, { code: "PGRST001", message: "no connection", details: null, hint: null })
    })
    const ended = await run(
      `
      import { executeWithPool } from "${promise}"
      executeWithPool((client) => client.from("a").select("*")).then(({ data }) => console.log(JSON.stringify(data)))
      `,
      { environment: { ...environment, DB_POOL_RETRY_DELAY: "300", DB_POOL_RETRY_JITTER: "false" } }
    )
    expect(ended).toEqual({ ...endedWell, stdout: '[{"id":1}]' })
  })

  it("that waits for a connection lives until it has one or has waited long enough", async () => {
    const ended = await run(
      `
      import { getConnectionPool } from "${promise}"
      const pool = getConnectionPool()
      await pool.getConnection("read")
      pool.getConnection("read").catch((error) => console.log(error.name, error.message.slice(0, 18)))
      `,
      { environment: { ...database, DB_POOL_MAX_CONNECTIONS: "2", DB_POOL_CONNECTION_TIMEOUT: "300" } }
    )
    expect(ended).toEqual({ ...endedWell, stdout: "AcquireTimeout Connection timeout" })
  })

  it("whose database is away ends although the pool goes on looking for it", async () => {
    const gone = await serve(() => {})
    await gone.stop()
    const ended = await run(
      `
      import { checkDatabaseHealth, executeWithPool } from "${promise}"
      await executeWithPool((client) => client.from("a").select("*")).catch((error) => console.log(error.name))
      console.log((await checkDatabaseHealth()).status)
      `,
      { environment: { ...gone.environment, DB_POOL_MAX_RETRIES: "0", LOG_LEVEL: "none" } }
    )
    expect(ended).toEqual({ ...endedWell, stdout: "ConnectionFailed\nunhealthy" })
  })

  it("whose environment is wrong is told every mistake, and goes on once it is fixed", async () => {
    const ended = await run(
      `
      import { executeWithPool, getConnectionPool } from "${promise}"
      const query = () => executeWithPool((client) => client.from("products").select("id").limit(1))
      const error = await query().catch((error) => error)
      console.log(error instanceof Error, error._tag, error.mistakes.map(({ variable }) => variable).sort().join())
      process.env.DB_POOL_MAX_CONNECTIONS = "4"
      process.env.SUPABASE_URL = "${embedded.url}"
      console.log((await query()).status, getConnectionPool().getMetrics().maxConnections)
      `,
      { environment: { ...database, SUPABASE_URL: "", DB_POOL_MAX_CONNECTIONS: "many" } }
    )
    expect(ended).toEqual({
      ...endedWell,
      stdout: "true ConfigInvalid DB_POOL_MAX_CONNECTIONS,SUPABASE_URL\n200 4"
    })
  })

  it("in which the module is evaluated twice has one pool", async () => {
    const counted = await serve((_, response) => json(response, 200, []))
    const ended = await run(
      `
      const first = await import("./src/promise.ts")
      const second = await import("./src/promise.ts?x=1")
      console.log(first.createDatabase === second.createDatabase, first.db === second.db)
      console.log(first.getConnectionPool() === second.getConnectionPool())
      await first.executeWithPool((client) => client.from("a").select("*"))
      await second.executeWithPool((client) => client.from("a").select("*"))
      const connection = await first.getConnectionPool().getConnection("read")
      second.getConnectionPool().releaseConnection(connection)
      console.log(second.getConnectionPool().getMetrics().totalRequests)
      `,
      {
        compiled: false,
        environment: { ...counted.environment, DB_POOL_MIN_CONNECTIONS: "1", DB_POOL_MAX_CONNECTIONS: "2" }
      }
    )
    expect(ended).toEqual({ ...endedWell, stdout: "false true\ntrue\n2" })
    expect(counted.opened()).toBeLessThanOrEqual(2)
  })

  it("with the guide's SIGTERM handler ends with code 0, its connections closed", async () => {
    const ended = await run(
      `
      import { executeWithPool, getDatabaseConnectionService } from "${promise}"
      process.on('SIGTERM', async () => {
        const dbService = getDatabaseConnectionService();
        await dbService.shutdown();
        console.log(dbService.getConnectionPoolStatus().totalConnections)
        process.exit(0);
      });
      await executeWithPool((client) => client.from("products").select("id").limit(1))
      setInterval(() => {}, 1000)
      console.log("ready")
      `,
      { signal: "SIGTERM" }
    )
    expect(ended).toEqual({ ...endedWell, stdout: "ready\n0" })
  })

  it("without a handler dies of SIGTERM as any process does", async () => {
    const ended = await run(
      `
      import { executeWithPool } from "${promise}"
      await executeWithPool((client) => client.from("products").select("id").limit(1))
      setInterval(() => {}, 1000)
      console.log("ready")
      `,
      { signal: "SIGTERM" }
    )
    expect(ended).toMatchObject({ signal: "SIGTERM", stderr: "" })
  })

  it("at LOG_LEVEL=debug sees every connection event", async () => {
    const ended = await run(
      `
      import { executeWithPool } from "${promise}"
      await executeWithPool((client) => client.from("products").select("id").limit(1))
      await new Promise((resolve) => setImmediate(resolve))
      `,
      { environment: { ...database, LOG_LEVEL: "debug" } }
    )
    expect(ended).toMatchObject(endedWell)
    for (const event of ["connection created", "connection acquired", "connection released"]) {
      expect(ended.stdout).toContain(event)
    }
    expect(ended.stdout).not.toContain(embedded.anonKey)
  })
})
