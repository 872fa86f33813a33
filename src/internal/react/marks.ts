/** What happened, on the time axis: from what the page knows. Pure. */
import { latest, type View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import { isAway, isSilent, silenceOf } from "./trouble.js"

export interface Mark {
  /** ms since the epoch. */
  readonly at: number
  /** One word, for the chart. */
  readonly name: string
  /** For the list. */
  readonly words: string
  readonly tone: "good" | "warn" | "bad" | "plain"
}

/** A time in which the database did not answer. */
export interface Band {
  readonly from: number
  readonly to: number
}

/** Two connections that are closed by one reset are closed within moments. */
const together = 3_000

/** The clock of a server is asked twice for one sample. */
const sameStart = 2_000

const starts = (samples: View["samples"]): ReadonlyArray<Mark> =>
  samples.flatMap(({ at, uptime }, index) => {
    const start = at - uptime
    const before = samples[index - 1]
    const isNew = before === undefined ? uptime < together : start - (before.at - before.uptime) > sameStart
    return isNew ? [{ at: start, name: "start", words: "The server started", tone: "plain" }] : []
  })

const changes = (samples: View["samples"]): ReadonlyArray<Mark> =>
  samples.flatMap((sample, index): ReadonlyArray<Mark> => {
    const before = samples[index - 1]
    if (before === undefined) return []
    const marks: Array<Mark> = []
    const [was, is] = [
      !(before.read.reachable && before.write.reachable),
      !(sample.read.reachable && sample.write.reachable)
    ]
    if (is && !was) marks.push({ at: sample.at, name: "away", words: "The database could not be reached", tone: "bad" })
    if (isSilent(sample) && !isSilent(before)) {
      marks.push({
        at: sample.at - silenceOf(sample),
        name: "silent",
        words: "Nothing was answered from then on",
        tone: "bad"
      })
    }
    const isWell = !is && !isSilent(sample)
    if (isWell && (was || isSilent(before))) {
      marks.push({ at: sample.at, name: "back", words: "The database answered again", tone: "good" })
    }
    return marks
  })

/** The first of each time in which the same happens again and again. */
const first = (happened: View["happened"], type: Wire.Happened["type"]): ReadonlyArray<number> =>
  happened
    .filter((event) => event.type === type)
    .map(({ at }) => at)
    .sort((left, right) => left - right)
    .filter((at, index, all) => at - (all[index - 1] ?? Number.NEGATIVE_INFINITY) > together)

const told: Readonly<Record<Wire.AlertTold["type"], string>> = {
  fired: "fired",
  reminded: "lasts",
  resolved: "resolved"
}

/** Oldest first. */
export const marksOf = (view: View): ReadonlyArray<Mark> => {
  const { alerts, happened, samples } = view
  const begin = samples[0]?.at ?? 0
  const resets = first(happened, "reset").map(
    (at): Mark => ({ at, name: "reset", words: "The pools were reset", tone: "plain" })
  )
  const leaks = first(happened, "leaked").map(
    (at): Mark => ({ at, name: "leak", words: "A connection was held too long", tone: "warn" })
  )
  const fired = alerts.map(
    ({ alert, at, type }): Mark => ({
      at,
      name: type === "resolved" ? "resolved" : "alert",
      words: `${alert.summary}: ${told[type]}`,
      tone: type === "resolved" ? "good" : alert.severity === "critical" ? "bad" : "warn"
    })
  )
  return [...starts(samples), ...changes(samples), ...resets, ...leaks, ...fired]
    .filter(({ at }) => at >= begin - together)
    .sort((left, right) => left.at - right.at)
}

export const bandsOf = (view: View): ReadonlyArray<Band> => {
  const bands: Array<Band> = []
  for (const sample of view.samples) {
    const silence = isSilent(sample) ? silenceOf(sample) : 0
    if (silence === 0 && !isAway(sample)) continue
    const from = sample.at - silence
    const last = bands.at(-1)
    if (last !== undefined && from - last.to <= together)
      bands[bands.length - 1] = { from: Math.min(from, last.from), to: sample.at }
    else bands.push({ from, to: sample.at })
  }
  return bands
}

/** The sample of that time, or the newest. */
export const sampleAt = (view: View, at: number | undefined): Wire.Sample | undefined =>
  at === undefined ? latest(view) : (view.samples.findLast((sample) => sample.at <= at) ?? view.samples[0])
