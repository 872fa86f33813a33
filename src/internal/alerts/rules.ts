/** The conditions of the built-in rules: none, or the problem in figures. */
import { Duration, Option } from "effect"
import type { Sample } from "../../Alerts.js"
import { percent } from "../shared/text.js"

type Condition = (sample: Sample) => Option.Option<string>

const when = (holds: boolean, words: () => string): Option.Option<string> =>
  holds ? Option.some(words()) : Option.none()

export const utilization =
  (above: number): Condition =>
  (sample) =>
    when(
      sample.utilization > above,
      () => `${percent(sample.utilization)} of a pool's connections are busy, more than ${percent(above)}`
    )

export const errorRate =
  (above: number): Condition =>
  (sample) =>
    when(
      sample.errorRate > above,
      () => `${percent(sample.errorRate)} of the last minute's operations failed, more than ${percent(above)}`
    )

export const responseTime =
  (above: Duration.Duration): Condition =>
  (sample) =>
    when(Duration.greaterThan(sample.averageResponseTime, above), () => {
      const average = Math.ceil(Duration.toMillis(sample.averageResponseTime))
      return `operations take ${average} ms on average, more than ${Duration.toMillis(above)} ms`
    })

/** `read` and `write` show which pool it is; the number does not. */
export const leaks =
  (above: number): Condition =>
  (sample) =>
    when(sample.leaks > above, () => {
      const { read, write } = sample
      return `connections were held too long and reclaimed in the last minute (since the start: ${read.leaks} read, ${write.leaks} write)`
    })

export const unhealthy: Condition = (sample) =>
  when(sample.status === "unhealthy", () =>
    ["the database cannot be reached", ...Option.toArray(sample.error)].join(": ")
  )
