/** What work costs the process that does it, and who else is in it: CPU, memory, and how long the event loop stood still. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { collect } from "../../test/support/garbage.js"
import { type Answer, cpuOf } from "./subject.js"

const megabyte = 2 ** 20

/** Once in a process: the highest memory is that of its whole life. */
export const pressureOf = async (work: () => Promise<number>): Promise<Answer> => {
  collect()
  collect()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const rest = process.memoryUsage().rss
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  let rows = 0
  const { cpu, wall } = await cpuOf(async () => {
    rows = await work()
  })
  // What stood still at the end is seen with the next turn.
  await new Promise((resolve) => setTimeout(resolve, 5))
  delays.disable()
  const memory = process.resourceUsage().maxRSS / 1_024 - rest / megabyte
  return { cpu: cpu / 1_000, wall, delay: delays.max / 1_000_000, memory, rows }
}
