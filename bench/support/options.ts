/** How subjects of this package are connected: to the bench's own server, which looks at no key. */
import { Duration } from "effect"

const keys = { anonKey: "anon", serviceRoleKey: "service" } as const

/** So many connections for reads, all open from the beginning: half of the maximum is the read pool's. */
export const reading = (url: string, connections: number) => ({
  url,
  ...keys,
  minConnections: connections,
  maxConnections: 2 * connections
})

/** Both pools together have so many, and who waits for one waits as long as it takes. */
export const patient = (url: string, connections: number) => ({
  url,
  ...keys,
  minConnections: Math.min(5, connections),
  maxConnections: connections,
  maxPending: 1_000_000,
  connectionTimeout: Duration.minutes(10),
  leakDetectionTimeout: Duration.minutes(10)
})
