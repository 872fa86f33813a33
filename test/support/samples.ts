/** Samples of the event stream, as a server would send them. */
import type { PoolSample, Sample } from "../../src/internal/feed/wire.js"

const pool: PoolSample = {
  min: 5,
  max: 10,
  active: 0,
  idle: 5,
  pending: 0,
  connecting: 0,
  reachable: true,
  created: 5,
  closed: 0,
  acquired: 0,
  timeouts: 0,
  overloaded: 0,
  leaks: 0,
  connectFailures: 0,
  longestHeld: 0
}

interface Change extends Partial<Omit<Sample, "read" | "write">> {
  readonly read?: Partial<PoolSample>
  readonly write?: Partial<PoolSample>
}

export const sample = ({ read, write, ...rest }: Change = {}): Sample => ({
  at: 1_000,
  status: "healthy",
  reasons: [],
  uptime: 60_000,
  read: { ...pool, ...read },
  write: { ...pool, ...write },
  operations: { perSecond: 10, total: 100, failed: 0, errorRate: 0, mean: 12, p50: 10, p95: 20, p99: 30 },
  alerts: [],
  ...rest
})

/** One a second. */
export const samples = (count: number): ReadonlyArray<Sample> =>
  Array.from({ length: count }, (_, index) => sample({ at: (index + 1) * 1_000 }))
