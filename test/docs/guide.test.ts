/**
 * Every snippet of the guide, as it is printed there but for the import path, in its order. What the guide leaves to the
 * reader (`userData`, `sellerId`, `sendSlackAlert`, …) is declared before the snippet.
 *
 * Not here, and why:
 * - "Sizing Guidelines", the `DB_POOL_…=` lines inside TypeScript blocks, "Rate Limiting Integration" and "Batch
 *   Migration" are lists and comments, not code.
 * - "Admin Dashboard" is React, and the `curl` and `http` blocks are the server's: they have tests of their own.
 * - "Graceful Shutdown" ends its process, so it runs in one of its own, in promiseProcess.test.ts.
 * - `'user-id'`, `'product-id'`, `'table'`, `'table1'` and `'table2'` stand for the reader's own; here they are ids and
 *   tables of the marketplace.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import {
  checkDatabaseHealth,
  db,
  executeWithPool,
  getConnectionPool,
  getDatabaseConnectionService,
  getOptimizedConfig,
  getPooledClient,
  SupabaseConnectionPool
} from "../../src/promise.js"
import { as, embedded, ids } from "../support/embedded.js"

const environment = {
  SUPABASE_URL: embedded.url,
  SUPABASE_ANON_KEY: embedded.anonKey,
  SUPABASE_SERVICE_ROLE_KEY: embedded.serviceRoleKey
}

beforeAll(() => {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
})

afterAll(async () => {
  await getConnectionPool().gracefulShutdown()
  vi.unstubAllEnvs()
})

const unique = (what: string): string => `${what}-${crypto.randomUUID()}`

/** Data that can be inserted as often as a snippet does so: each reading of `email` or `name` gives another one. */
const made = { users: new Set<string>(), shops: new Set<string>() }

const userData = {
  name: "Guide",
  get email() {
    const email = `${unique("guide")}@example.com`
    made.users.add(email)
    return email
  }
}

const shopData = {
  owner_id: ids.user(2),
  get name() {
    const name = unique("Guide")
    made.shops.add(name)
    return name
  }
}

afterEach(async () => {
  await executeWithPool(
    (client) =>
      client
        .from("shops")
        .delete()
        .in("name", [...made.shops]),
    "write"
  )
  await executeWithPool(
    (client) =>
      client
        .from("users")
        .delete()
        .in("email", [...made.users]),
    "write"
  )
  made.users.clear()
  made.shops.clear()
})

describe("Installation & Setup", () => {
  it("2. Basic Usage", async () => {
    // User operations
    const user = await db.users.get(ids.user(1))
    const newUser = await db.users.create(userData)

    // Product operations
    const products = await db.products.search({ query: "laptop" })
    const product = await db.products.get(ids.product(1))

    // Transaction support
    const results = await db.transaction([
      (client) => client.from("users").insert(userData),
      (client) => client.from("shops").insert(shopData)
    ])

    expect(user).toMatchObject({ id: ids.user(1), role: "admin" })
    expect(newUser).toMatchObject({ name: "Guide", role: "buyer" })
    expect(products.length).toBeGreaterThan(0)
    expect(products.every(({ description, title }) => /laptop/i.test(`${title} ${description}`))).toBe(true)
    expect(product.id).toBe(ids.product(1))
    expect(results).toEqual([null, null])
    const inserted = await executeWithPool(
      (client) =>
        client
          .from("users")
          .select("name")
          .in("email", [...made.users]),
      "write"
    )
    expect(inserted.data).toEqual([{ name: "Guide" }, { name: "Guide" }])
  })
})

describe("Advanced Usage", () => {
  it("1. Direct Pool Access", async () => {
    const sellerId = ids.user(2)

    // Execute custom operation with pooling
    const result = await executeWithPool(async (client) => {
      const { data, error } = await client.from("products").select("*").eq("seller_id", sellerId)

      if (error) throw error
      return data
    }, "read") // Specify 'read' or 'write'

    // Get pool metrics
    const pool = getConnectionPool()
    const metrics = pool.getMetrics()
    console.log("Pool health:", metrics.poolHealth)

    expect(result.length).toBeGreaterThan(0)
    expect(result.every((product) => product["seller_id"] === sellerId)).toBe(true)
    expect(metrics.poolHealth).toBe("healthy")
  })

  it("2. Custom Pooled Client", async () => {
    const productData = { shop_id: ids.shop(1), seller_id: ids.user(2), title: unique("Guide"), price: 12.5 }
    const data1 = { body: unique("one") }
    const data2 = { body: unique("two") }

    const pooledClient = getPooledClient()

    // Read operation
    const users = await pooledClient.read(async (client) => {
      return await client.from("users").select("*")
    })

    // Write operation
    const newProduct = await pooledClient.write(async (client) => {
      return await client.from("products").insert(productData).select().single()
    })

    // Transaction
    const results = await pooledClient.transaction([
      (client) => client.from("notes").insert(data1),
      (client) => client.from("notes").insert(data2)
    ])

    // Row level security hides users from the anon key, with which the read pool sends.
    expect(users).toMatchObject({ status: 200, data: [] })
    expect(newProduct.data).toMatchObject({ title: productData.title, price: 12.5 })
    expect(results).toHaveLength(2)
    const { data } = await pooledClient.read((client) =>
      client.from("notes").select("body").in("body", [data1.body, data2.body])
    )
    expect(data).toHaveLength(2)
    await executeWithPool((client) => client.from("products").delete().eq("title", productData.title), "write")
  })

  it("3. Environment-Specific Configuration", async () => {
    // Get configuration optimized for expected load
    const config = getOptimizedConfig("high") // 'low', 'medium', 'high', 'extreme'

    // Create custom pool with specific configuration
    const customPool = new SupabaseConnectionPool(config)

    const connection = await customPool.getConnection("read")
    expect(customPool.getMetrics().maxConnections).toBe(config.maxConnections)
    customPool.releaseConnection(connection)
    await customPool.gracefulShutdown()
  })
})

describe("Health Monitoring", () => {
  it("3. Programmatic Monitoring", async () => {
    await executeWithPool((client) => client.from("products").select("id").limit(1))

    const dbService = getDatabaseConnectionService()

    // Get current pool metrics
    const metrics = dbService.getConnectionPoolStatus()
    console.log("Pool health:", metrics.poolHealth)
    console.log("Active connections:", metrics.activeConnections)

    // Get query performance metrics
    const queryMetrics = dbService.getQueryMetrics("hour")
    console.log("Average query time:", queryMetrics.averageExecutionTime)
    console.log("Slow queries:", queryMetrics.slowQueries)

    expect(metrics).toMatchObject({ poolHealth: "healthy", activeConnections: 0 })
    expect(queryMetrics.window).toBe("hour")
    expect(queryMetrics.averageExecutionTime).toBeGreaterThan(0)
    expect(Array.isArray(queryMetrics.slowQueries)).toBe(true)
  })
})

describe("Performance Optimization", () => {
  it("2. Read/Write Optimization", async () => {
    const filters = { category: "laptops", inStock: true, minPrice: 500, limit: 5 }
    const data = { shop_id: ids.shop(1), seller_id: ids.user(2), title: unique("Guide"), price: 12.5 }
    const profileData = { user_id: (await db.users.create(userData)).id, bio: "reads guides" }

    // Use read pool for queries
    const products = await db.products.search(filters) // Uses read pool

    // Use write pool for modifications
    const newProduct = await db.products.create(data) // Uses write pool

    // Transactions always use write pool
    const result = await db.transaction([
      (client) => client.from("users").insert(userData),
      (client) => client.from("profiles").insert(profileData)
    ])

    expect(products).toHaveLength(5)
    expect(products.every(({ category, price, stock }) => category === "laptops" && price >= 500 && stock > 0)).toBe(
      true
    )
    expect(newProduct).toMatchObject(data)
    expect(result).toEqual([null, null])
    expect(await db.profiles.get(profileData.user_id)).toEqual(profileData)
    expect(await db.products.remove(newProduct.id)).toEqual(newProduct)
  })
})

describe("Error Handling & Resilience", () => {
  it("1. Automatic Retry Logic", async () => {
    // Automatic retry with exponential backoff
    const result = await executeWithPool(async (client) => {
      // This operation will be retried up to 3 times
      // with delays of 1s, 2s, 4s on failures
      return await client.from("products").select("*")
    }, "read")

    // That it is retried, and when, is in promiseExecute.test.ts.
    expect(result.error).toBeNull()
    expect(result.data?.length).toBeGreaterThanOrEqual(500)
  })

  it("2. Connection Leak Prevention", async () => {
    const snippet = async () => {
      // Manual connection management (if needed)
      const pool = getConnectionPool()
      const connection = await pool.getConnection("read")
      try {
        // Use connection
        const result = await connection.client.from("products").select("*")
        return result
      } finally {
        // Always release connection
        pool.releaseConnection(connection)
      }
    }
    expect((await snippet()).error).toBeNull()
    expect(getConnectionPool().getMetrics().activeConnections).toBe(0)
  })
})

describe("Monitoring & Alerts", () => {
  it("2. Key Metrics to Monitor", async () => {
    await executeWithPool((client) => client.from("products").select("id").limit(1))
    const metrics = getConnectionPool().getMetrics()
    const { activeConnections, failedRequests, totalConnections, totalRequests } = metrics
    const requestCount = totalRequests
    const totalResponseTime = metrics.averageResponseTime * requestCount

    // Connection utilization
    const utilizationRate = activeConnections / totalConnections
    // Alert if > 80%

    // Error rate
    const errorRate = failedRequests / totalRequests
    // Alert if > 5%

    // Response time
    const avgResponseTime = totalResponseTime / requestCount
    // Alert if > 1000ms

    // Connection leaks
    const leakCount = metrics.connectionLeaks
    // Alert if > 0

    expect({ utilizationRate, errorRate, leakCount }).toEqual({ utilizationRate: 0, errorRate: 0, leakCount: 0 })
    expect(avgResponseTime).toBeGreaterThan(0)
  })

  it("3. Alerting Integration", async () => {
    const sendSlackAlert = vi.fn(async (_: Record<"channel" | "message" | "severity", string>) => {})
    const snippet = async (metrics: ReturnType<SupabaseConnectionPool["getMetrics"]>) => {
      // Example: Slack alerts for critical issues
      if (metrics.poolHealth === "unhealthy") {
        await sendSlackAlert({
          channel: "#alerts",
          message: `🚨 Database pool unhealthy: ${metrics.activeConnections}/${metrics.totalConnections} connections`,
          severity: "critical"
        })
      }
    }
    await snippet(getConnectionPool().getMetrics())
    expect(sendSlackAlert).not.toHaveBeenCalled()
    await snippet({ ...getConnectionPool().getMetrics(), poolHealth: "unhealthy" })
    expect(sendSlackAlert).toHaveBeenCalledTimes(1)
  })
})

// Test connection acquisition and release
describe("Connection Pool", () => {
  it("should acquire and release connections properly", async () => {
    const pool = getConnectionPool()
    const connection = await pool.getConnection("read")

    expect(connection).toBeDefined()
    expect(connection.isActive).toBe(true)

    pool.releaseConnection(connection)
    expect(connection.isActive).toBe(false)
  })

  it("should handle connection timeouts", async () => {
    const pool = new SupabaseConnectionPool({ maxConnections: 2, connectionTimeout: 50 })
    const only = await pool.getConnection("read")

    // Test timeout behavior
    await expect(pool.getConnection("read")).rejects.toThrow("Connection timeout")

    pool.releaseConnection(only)
    await pool.gracefulShutdown()
  })
})

describe("Health Checks", () => {
  it("should return healthy status when database is available", async () => {
    const health = await checkDatabaseHealth()
    expect(health.status).toBe("healthy")
    expect(health.details.canConnect).toBe(true)
  })
})

describe("Configuration Examples", () => {
  const devConfig = {
    minConnections: 2,
    maxConnections: 5,
    connectionTimeout: 10000,
    idleTimeout: 60000,
    enableMetrics: true,
    enableHealthChecks: true
  }

  const prodConfig = {
    minConnections: 5,
    maxConnections: 20,
    connectionTimeout: 30000,
    idleTimeout: 300000,
    maxRetries: 3,
    retryDelay: 1000,
    enableMetrics: true,
    enableHealthChecks: true
  }

  const highLoadConfig = {
    minConnections: 10,
    maxConnections: 50,
    connectionTimeout: 45000,
    idleTimeout: 600000,
    maxRetries: 5,
    retryDelay: 2000,
    healthCheckInterval: 15000
  }

  it.each([
    ["Development Environment", devConfig],
    ["Production Environment", prodConfig],
    ["High-Load Environment", highLoadConfig]
  ])("%s", async (_, config) => {
    const pool = new SupabaseConnectionPool(config)
    const connection = await pool.getConnection("read")
    expect(pool.getMetrics()).toMatchObject({ activeConnections: 1, maxConnections: config.maxConnections })
    pool.releaseConnection(connection)
    await pool.gracefulShutdown()
  })
})

describe("Troubleshooting", () => {
  it("1. Connection Pool Exhaustion", () => {
    const pool = getConnectionPool()

    // Check for connection leaks
    const metrics = pool.getMetrics()
    console.log("Connection leaks:", metrics.connectionLeaks)

    expect(metrics.connectionLeaks).toBe(0)
  })

  it("2. Connection Leaks", async () => {
    const id = ids.product(7)

    // Enable leak detection logging
    const pool = getConnectionPool()
    // Check logs for leak warnings

    // Use high-level API instead of direct pool access
    const result = await db.products.get(id) // Automatic connection management

    expect(result.id).toBe(id)
    expect(pool.getMetrics().activeConnections).toBe(0)
  })

  it("3. High Error Rates", async () => {
    // Check database connectivity
    const health = await checkDatabaseHealth()
    console.log("Can connect:", health.details.canConnect)

    expect(health.details.canConnect).toBe(true)
  })

  it("Debug Mode", () => {
    // Access detailed metrics
    const dbService = getDatabaseConnectionService()
    const queryMetrics = dbService.getQueryMetrics("hour")
    console.log("Slow queries:", queryMetrics.slowQueries)

    expect(Array.isArray(queryMetrics.slowQueries)).toBe(true)
  })
})

describe("API Reference", () => {
  it("Connection Pool Manager", async () => {
    const pool = getConnectionPool()

    // Get connection
    const connection = await pool.getConnection("read")

    // Release connection
    pool.releaseConnection(connection)

    // Get metrics
    const metrics = pool.getMetrics()

    // Graceful shutdown
    await pool.gracefulShutdown()

    expect(connection.isActive).toBe(false)
    expect(metrics.totalConnections).toBeGreaterThan(0)
    expect(pool.getMetrics().totalConnections).toBe(0)
  })

  it("Database Operations", async () => {
    const id = ids.user(40)
    const data = userData
    const changes = { name: (await db.users.get(id)).name }
    const filters = { query: "laptop", shopId: ids.shop(2), from: "2025-06-01", to: "2025-09-01" }

    // CRUD operations
    const user = await db.users.get(id)
    const users = await db.users.create(data)
    const updated = await db.users.update(id, changes)

    // Search operations
    const products = await db.products.search(filters)

    // Analytics
    const analytics = await db.analytics.get("sales", filters)

    // Health checks
    const health = await db.health.check()
    const metrics = db.health.getMetrics()

    expect(updated).toEqual(user)
    expect(users.id).not.toBe(id)
    expect(products.length).toBeGreaterThan(0)
    expect(products.every(({ shop_id }) => shop_id === ids.shop(2))).toBe(true)
    expect(analytics.length).toBeGreaterThan(0)
    expect(analytics.every(({ day, revenue }) => day >= "2025-06-01" && day < "2025-09-01" && revenue > 0)).toBe(true)
    expect(health.status).toBe("healthy")
    expect(metrics.activeConnections).toBe(0)
  })
})

describe("Security Considerations", () => {
  it.each(["admin", "buyer"])("2. Access Control: %s", async (userRole) => {
    // Role-based pool access
    const pool = getConnectionPool()

    // Admin operations (full access)
    if (userRole === "admin") {
      const connection = await pool.getConnection("write")
      // ... perform admin operations
      const { data } = await connection.client.from("users").select("id").eq("id", ids.user(1))
      expect(data).toEqual([{ id: ids.user(1) }])
      pool.releaseConnection(connection)
    }

    // Regular user operations (read-only)
    const connection = await pool.getConnection("read")
    // ... perform read operations
    const { data } = await connection.client.from("users").select("id").eq("id", ids.user(1))
    expect(data).toEqual([])
    pool.releaseConnection(connection)
  })
})

describe("Emergency Procedures", () => {
  it("2. Connection Leaks", async () => {
    const logger = { error: vi.fn() }
    const pool = new SupabaseConnectionPool({ maxConnections: 2, leakDetectionTimeout: 50 })
    await pool.getConnection("read")
    pool.releaseConnection(await pool.getConnection("read"))

    // Get leak information
    const metrics = pool.getMetrics()
    if (metrics.connectionLeaks > 0) {
      logger.error("Connection leaks detected:", metrics.connectionLeaks)

      // Force cleanup (emergency only)
      await pool.gracefulShutdown()
      // Pool will automatically reinitialize
    }

    expect(logger.error).toHaveBeenCalledWith("Connection leaks detected:", 1)
    const connection = await pool.getConnection("read")
    expect(connection.isActive).toBe(true)
    expect(pool.getMetrics().connectionLeaks).toBe(0)
    pool.releaseConnection(connection)
    await pool.gracefulShutdown()
  })

  it("3. Database Connectivity Issues", async () => {
    // Test direct database connection
    const health = await checkDatabaseHealth()
    if (!health.details.canConnect) {
      // Check Supabase service status
      // Verify environment variables
      // Check network connectivity
    }

    expect(health.details.error).toBeNull()
  })
})

describe("Migration Guide", () => {
  it("From Direct Supabase Client", async () => {
    const createServiceClient = as.service

    // BEFORE: Direct client usage
    const supabase = createServiceClient()
    const { data } = await supabase.from("products").select("*")

    // AFTER: Pooled client usage
    const products = await db.products.get()

    const own = (rows: ReadonlyArray<{ readonly id: string; readonly title: string }>) =>
      rows
        .filter(({ id }) => id.startsWith("30000000-"))
        .map(({ id, title }) => `${id} ${title}`)
        .sort()
    expect(own(products)).toEqual(own(data ?? []))
    expect(own(products)).toHaveLength(500)
  })
})
