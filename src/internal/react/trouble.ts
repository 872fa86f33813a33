/** What in a sample is trouble, for the banner, the tiles and the charts alike. Pure. */
import type * as Wire from "../feed/wire.js"

/** Shorter silences are slow queries, in ms. */
const patience = 5_000

type Pools = Pick<Wire.Sample, "read" | "write">

/** For how long nothing was answered that was asked, in ms. */
export const silenceOf = ({ read, write }: Pools): number => Math.max(read.unanswered ?? 0, write.unanswered ?? 0)

/** Figures of operations that have ended say nothing of now. */
export const isSilent = (pools: Pools): boolean => silenceOf(pools) >= patience

/** No connection can be opened, or a check had no answer although connections were free. */
export const isAway = ({ read, status, write }: Wire.Sample): boolean =>
  !read.reachable || !write.reachable || status === "unhealthy"

/** The age of the oldest request under way, in ms; 0 without one. */
export const ageOf = ({ read, write }: Pools): number =>
  Math.max(read.oldestRequest?.age ?? 0, write.oldestRequest?.age ?? 0)

/** How long the first in a queue has waited, in ms; 0 when nobody waits. */
export const waitOf = ({ read, write }: Pools): number => Math.max(read.oldestWait ?? 0, write.oldestWait ?? 0)
