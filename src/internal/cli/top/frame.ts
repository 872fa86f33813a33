/** The screen of `supabase-pool top`, as text. Pure. */
import { broke } from "../../audit/eventType.js"
import * as format from "../../feed/format.js"
import { latest, type View } from "../../feed/view.js"
import type * as Wire from "../../feed/wire.js"
import { colour as colours, printable, printableColoured } from "../../shared/printable.js"

export interface Screen {
  readonly columns: number
  readonly rows: number
  readonly colour: boolean
  readonly url: string
  readonly now: number
}

type Tone = "good" | "warn" | "bad" | "dim" | "bold"

const codes: Readonly<Record<Tone, string>> = { good: "32", warn: "33", bad: "31", dim: "2", bold: "1" }

type Paint = (tone: Tone, text: string) => string

const painter =
  (colour: boolean): Paint =>
  (tone, text) =>
    colour ? `\u001B[${codes[tone]}m${text}\u001B[0m` : text

const tones: Readonly<Record<Wire.Sample["status"], Tone>> = { healthy: "good", degraded: "warn", unhealthy: "bad" }

const width = 24

/** `████▒▒▒▒······`: active, idle, and not opened. */
const bar = (paint: Paint, { active, idle, max }: Wire.PoolSample): string => {
  const cells = (count: number): number => Math.round((count / Math.max(1, max)) * width)
  const full = cells(active)
  const open = Math.max(full, cells(active + idle))
  const tone = active / max > 0.8 ? "warn" : "good"
  return paint(tone, "█".repeat(full)) + "▒".repeat(open - full) + paint("dim", "·".repeat(Math.max(0, width - open)))
}

const limited = ({ reason, said, value }: NonNullable<Wire.PoolSample["limit"]>): string => {
  const why = { start: "at the start", free: "answers come in time", queueing: "answers come late", refused: said }
  return `limit ${format.number(value)} (${why[reason]})`
}

const pool = (paint: Paint, name: string, sample: Wire.PoolSample): string => {
  const { active, connecting, idle, leaks, limit, longestHeld, max, oldestRequest, oldestWait, pending, reachable } =
    sample
  const wait = oldestWait === undefined ? "" : `, the first for ${format.millis(oldestWait)}`
  const facts = [
    `${active} active, ${idle} idle of ${max}`,
    ...(connecting > 0 ? [`${connecting} connecting`] : []),
    ...(limit === undefined ? [] : [limited(limit)]),
    pending > 0 ? paint("warn", `${format.number(pending)} waiting${wait}`) : "0 waiting",
    ...(leaks > 0 ? [`${paint("bad", format.plural(leaks, "leak"))} since start`] : []),
    ...(longestHeld > 0 ? [`longest held ${format.millis(longestHeld)}`] : []),
    ...(oldestRequest !== undefined && oldestRequest.age >= 1_000
      ? [paint("warn", `oldest request ${format.millis(oldestRequest.age)}`)]
      : []),
    ...(reachable ? [] : [paint("bad", "unreachable")])
  ]
  return `${name.padEnd(11)} ${bar(paint, sample)}  ${facts.join(" · ")}`
}

const steps = "▁▂▃▄▅▆▇█"

const sparkline = (values: ReadonlyArray<number>, length: number): string => {
  const shown = values.slice(-length)
  const most = Math.max(...shown, 0)
  return shown.map((value) => steps[most === 0 ? 0 : Math.min(7, Math.floor((value / most) * 7.999))] ?? "▁").join("")
}

/** A headline with the last minute's trend. */
const course = (name: string, values: ReadonlyArray<number>, show: (value: number) => string): string =>
  `${name.padEnd(11)} ${sparkline(values, 60).padEnd(60)}  now ${show(values.at(-1) ?? 0)}, most ${show(Math.max(...values.slice(-60), 0))}`

const operations = (paint: Paint, { operations: figures }: Wire.Sample): string =>
  `operations  ${format.number(figures.perSecond)}/s · p50 ${format.millis(figures.p50)} · p95 ${format.millis(figures.p95)} · p99 ${format.millis(figures.p99)} · ${
    figures.errorRate > 0.05
      ? paint("bad", `${format.percent(figures.errorRate)} failed`)
      : `${format.percent(figures.errorRate)} failed`
  } · ${format.number(figures.total)} since start`

const link = (paint: Paint, view: View): string => {
  switch (view.link._tag) {
    case "Live":
      return view.restarts > 0 ? paint("warn", "live, server restarted") : "live"
    case "Lost":
      return paint(
        "bad",
        `no news since ${format.clock(view.link.since)}: ${printable(view.link.reason)}; trying again`
      )
    default:
      return "connecting"
  }
}

const alerts = (paint: Paint, { alerts: active, at }: Wire.Sample): ReadonlyArray<string> =>
  active.map(({ fineSince, severity, ...words }) => {
    const [summary, detail] = [printable(words.summary), printable(words.detail)]
    if (fineSince !== undefined) return paint("dim", `! ${summary}: fine again for ${format.span(at - fineSince)}`)
    return `${paint(severity === "critical" ? "bad" : "warn", `! ${summary}`)}${detail === "" ? "" : `: ${detail}`}`
  })

const events = (paint: Paint, view: View, room: number): ReadonlyArray<string> =>
  view.happened.slice(0, Math.max(0, room)).map((event) => {
    const { at, held, pool: name, type } = event
    const [connectionId, holder, reason] = [event.connectionId, event.holder, event.reason].map(printable)
    const bad = type === "leaked" || broke(event)
    const by = holder === "" ? "" : ` by ${holder}`
    const duration = held > 0 ? ` after ${format.millis(held)}` : ""
    return `${format.clock(at)}  ${name.padEnd(6)} ${bad ? paint("bad", type.padEnd(12)) : type.padEnd(12)} ${connectionId}${duration}${by}${reason === "" ? "" : ` ${reason}`}`
  })

/** Cut at the screen's edge; colours take no room. */
const cut = (line: string, columns: number): string => {
  const parts = line.split(colours)
  const visible = parts.filter((_, index) => index % 2 === 0).join("")
  if (visible.length <= columns) return line
  let left = Math.max(0, columns - 1)
  const kept = parts.map((part, index) => {
    if (index % 2 === 1) return part
    const piece = part.slice(0, left)
    left -= piece.length
    return piece
  })
  return `${kept.join("")}…`
}

/** Line by line, never more than the screen has. */
export const frame = (view: View, { colour, columns, now, rows, url }: Screen): ReadonlyArray<string> => {
  const paint = painter(colour)
  const sample = latest(view)
  const head = [
    paint("bold", "supabase-pool top"),
    printable(url),
    ...(sample === undefined ? [] : [paint(tones[sample.status], sample.status), `up ${format.span(sample.uptime)}`]),
    link(paint, view),
    format.clock(now)
  ].join("  ")
  if (sample === undefined) return [cut(head, columns)]
  const lines = [
    head,
    ...sample.reasons.map((reason) => paint(tones[sample.status], `  ${printable(reason)}`)),
    "",
    pool(paint, "read pool", sample.read),
    pool(paint, "write pool", sample.write),
    operations(paint, sample),
    "",
    course(
      "throughput",
      view.samples.map((it) => it.operations.perSecond),
      (value) => `${format.number(value)}/s`
    ),
    course(
      "waiting",
      view.samples.map((it) => it.read.pending + it.write.pending),
      format.number
    ),
    "",
    ...alerts(paint, sample)
  ]
  const room = rows - lines.length - 2
  const log = events(paint, view, room)
  return [...lines, ...(log.length === 0 ? [] : [paint("dim", "connections"), ...log])]
    .slice(0, Math.max(1, rows - 1))
    .map((line) => printableColoured(cut(line, columns)))
}

/** One sample on one line, for a file or a pipe. */
export const line = ({ at, operations: figures, read, status, write }: Wire.Sample): string =>
  [
    format.clock(at),
    status,
    `read ${read.active}/${read.max}`,
    `write ${write.active}/${write.max}`,
    `waiting ${read.pending + write.pending}`,
    `${format.number(figures.perSecond)}/s`,
    `p95 ${format.millis(figures.p95)}`,
    `failed ${format.percent(figures.errorRate)}`,
    `leaks since start ${read.leaks + write.leaks}`
  ].join("  ")
