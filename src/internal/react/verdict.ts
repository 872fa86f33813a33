/** What is wrong, and what to do: the banner's words, from what the page knows. Pure. */
import * as format from "../feed/format.js"
import { latest, type View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"
import { isAway, isSilent, silenceOf, waitOf } from "./trouble.js"

/** The headings of docs/troubleshooting.md to which the banner leads. */
export const entries = {
  noNews: "The dashboard has no news",
  away: "The database cannot be reached",
  silent: "Nothing is answered",
  failing: "High error rate",
  full: "Pool exhaustion",
  slow: "Operations are slow",
  leaks: "Connection leaks"
} as const

export interface Verdict {
  readonly tone: "good" | "info" | "warn" | "bad"
  /** Without figures: it is read aloud, and only when it changes. */
  readonly headline: string
  /** What is measured, each a short clause. */
  readonly figures: ReadonlyArray<string>
  /** What to do, the first thing first. */
  readonly steps: ReadonlyArray<string>
  /** A heading of docs/troubleshooting.md. */
  readonly entry?: string
}

const fine: Verdict = { tone: "good", headline: "The pool is healthy", figures: [], steps: [] }

const has = (words: string): boolean => words !== ""

/** The last samples for which it holds, without a break. */
const lastRun = (samples: View["samples"], holds: (sample: Wire.Sample) => boolean): ReadonlyArray<Wire.Sample> =>
  samples.slice(samples.findLastIndex((sample) => !holds(sample)) + 1)

const since = (samples: View["samples"], holds: (sample: Wire.Sample) => boolean): string => {
  const [first] = lastRun(samples, holds)
  const last = samples.at(-1)
  return first === undefined || last === undefined
    ? ""
    : `for ${format.span(last.at - first.at)}, since ${format.clock(first.at)}`
}

const waiting = ({ read, write }: Wire.Sample): string => {
  const count = read.pending + write.pending
  const longest = waitOf({ read, write })
  return count === 0 ? "" : `${format.number(count)} wait, the first for ${format.millis(longest)}`
}

const underWay = ({ read, write }: Wire.Sample): string => {
  const [oldest] = [read.oldestRequest, write.oldestRequest]
    .filter((each) => each !== undefined)
    .sort((left, right) => right.age - left.age)
  if (oldest === undefined) return ""
  const what = oldest.query === "" ? "" : `: ${oldest.query}`
  const who = oldest.query === "" || oldest.holder.startsWith("#") ? "" : `, sent by ${oldest.holder}`
  return `the oldest request is ${format.millis(oldest.age)} old${what}${who}`
}

/** The last failure to open a connection, in the pool's words. */
const failure = ({ happened }: View, now: number): string =>
  happened.find(({ at, connectionId, type }) => type === "failed" && connectionId === "" && now - at < 60_000)
    ?.reason ?? ""

const whyAway: ReadonlyArray<readonly [kind: string, step: string]> = [
  ["refused", "Nothing listens there: is the project paused, is the container up, is SUPABASE_URL right?"],
  ["dns", "The name is unknown: look at SUPABASE_URL, and at the name server of this machine."],
  ["tls", "The certificate is not trusted, or the clock is wrong: see DB_POOL_CA."],
  ["timeout", "Nothing comes back: look at firewall, route and VPN."],
  ["unreachable", "Nothing comes back: look at firewall, route and VPN."],
  ["proxy", "The proxy does not let it through: look at HTTPS_PROXY."]
]

const away = (view: View, sample: Wire.Sample): Verdict => {
  const reason = failure(view, sample.at)
  const step = whyAway.find(([kind]) => reason.startsWith(kind))?.[1]
  return {
    tone: "bad",
    headline: "The database cannot be reached",
    figures: [since(view.samples, isAway), reason, waiting(sample)].filter(has),
    steps: [
      step ?? "Look at the project's status page, and whether this machine has a network.",
      "Restart nothing: the pool tries again each second and goes on by itself."
    ],
    entry: entries.away
  }
}

const silent = (sample: Wire.Sample): Verdict => {
  const both = [sample.read, sample.write].filter(({ active, unanswered }) => active > 0 || unanswered !== undefined)
  const mute = both.filter(({ unanswered = 0 }) => unanswered >= silenceOf(sample) / 2)
  const who = mute.length < both.length ? (mute[0] === sample.read ? "reads" : "writes") : "requests"
  return {
    tone: "bad",
    headline: `The database takes ${who} and answers none`,
    figures: [`nothing was answered for ${format.span(silenceOf(sample))}`, underWay(sample), waiting(sample)].filter(
      has
    ),
    steps: [
      "Look in PostgreSQL for who blocks: select pid, pg_blocking_pids(pid), state, query from pg_stat_activity.",
      "End what blocks with pg_terminate_backend(pid). A reset of the pools does not help."
    ],
    entry: entries.silent
  }
}

const failing = ({ operations, reasons }: Wire.Sample): Verdict => ({
  tone: "bad",
  headline: "Operations fail",
  figures: [
    `${format.percent(operations.errorRate)} of the last minute's`,
    ...reasons.filter((reason) => !reason.startsWith("error rate"))
  ],
  steps: ["The table of queries says which fail; the log of your service says with which error."],
  entry: entries.failing
})

const leaking = ({ reasons }: Wire.Sample): Verdict => ({
  tone: "warn",
  headline: "Connections leak",
  figures: reasons,
  steps: ["“Connections, as it happened” names who held it too long: give it back in finally, or use Db.read."],
  entry: entries.leaks
})

const slow = (sample: Wire.Sample): Verdict => ({
  tone: "warn",
  headline: "Operations are slow",
  figures: [...sample.reasons, underWay(sample), waiting(sample)].filter(has),
  steps: ["Pick the spike in the latency chart: “A closer look” says which query it was."],
  entry: entries.slow
})

const full = (sample: Wire.Sample): Verdict => {
  const { operations, read, write } = sample
  const names = [read.active >= read.max ? "read" : "", write.active >= write.max ? "write" : ""].filter(has)
  const isHeld = Math.max(read.longestHeld, write.longestHeld) > 5_000
  return {
    tone: "warn",
    headline: names.length === 0 ? "The pool is nearly full" : `Every ${names.join(" and ")} connection is in use`,
    figures: [waiting(sample), ...sample.reasons].filter(has),
    steps: [
      operations.mean > 500
        ? "The queries are slow: pick the spike in the latency chart to see which."
        : isHeld
          ? "Queries are fast and connections are held long: your code waits for something else while it holds one."
          : "Queries are fast: it is traffic. Raise DB_POOL_MAX_CONNECTIONS if the database has room."
    ],
    entry: entries.full
  }
}

/** The last minute's figures hold the bad time for as long as that. */
const memory = 60_000

const recovered = (view: View, sample: Wire.Sample): Verdict | undefined => {
  const isBad = (each: Wire.Sample) => isAway(each) || isSilent(each)
  const last = view.samples.findLastIndex(isBad)
  const bad = view.samples[last]
  if (bad === undefined || sample.at - bad.at > memory) return undefined
  const first = lastRun(view.samples.slice(0, last + 1), isBad)[0] ?? bad
  const began = first.at - silenceOf(first)
  return {
    tone: "info",
    headline: "The database answers again",
    figures: [
      `for ${format.span(sample.at - bad.at)}; it had not for ${format.span(bad.at - began)}, from ${format.clock(began)}`
    ],
    steps: ["Nothing to do. Figures of the last minute hold the bad time until it is over."]
  }
}

const noNews = (view: View, reason: string, at: number): Verdict => ({
  tone: "bad",
  headline: "No news from the server that has the pool",
  figures: [
    `since ${format.clock(at)}: ${reason}`,
    latest(view) === undefined ? "" : "below is the last known state"
  ].filter(has),
  steps: ["Look whether its process runs, and at the end of its log. This page goes on by itself when it is back."],
  entry: entries.noNews
})

const slowest = 1_000

const ofSample = (view: View, sample: Wire.Sample): Verdict => {
  const { operations, read, reasons, status, write } = sample
  if (isSilent(sample) && read.reachable && write.reachable) return silent(sample)
  if (isAway(sample)) return away(view, sample)
  const after = recovered(view, sample)
  if (after !== undefined) return after
  if (operations.errorRate > 0.05) return failing(sample)
  if (reasons.some((reason) => reason.includes("leaked"))) return leaking(sample)
  if (read.active >= read.max || write.active >= write.max) return full(sample)
  if (operations.mean > slowest) return slow(sample)
  return status === "healthy" ? fine : full(sample)
}

export const verdictOf = (view: View): Verdict | undefined => {
  const { link } = view
  if (link._tag === "Lost") return noNews(view, link.reason, link.since)
  const sample = latest(view)
  return sample === undefined ? undefined : ofSample(view, sample)
}
