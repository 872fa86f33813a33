/** A database of the Promise API on a server of a test's own: few connections, short delays, no checks between. */
import { createDatabase, type PrivateDatabase } from "../../src/promise.js"

export type Options = Partial<Parameters<typeof createDatabase>[0]>

export const smallDatabase = (
  access: Required<Pick<Options, "url" | "anonKey" | "serviceRoleKey">>,
  options: Options = {}
): PrivateDatabase =>
  createDatabase({
    ...access,
    minConnections: 1,
    maxConnections: 4,
    retryDelay: 1,
    enableHealthChecks: false,
    ...options
  })
