/** The state of a reader of the event stream: a pure fold, for the dashboard and for the terminal. */
import type { Told } from "./client.js"
import type * as Wire from "./wire.js"

export type Link =
  | { readonly _tag: "Connecting" }
  | { readonly _tag: "Live" }
  | { readonly _tag: "Lost"; readonly reason: string; readonly since: number }
  | { readonly _tag: "Refused"; readonly status: number }

export interface View {
  readonly link: Link
  /** The process name of the last server; another name means that it was restarted. */
  readonly process: string
  /** How often the server was restarted while this view was open. */
  readonly restarts: number
  /** Oldest first. */
  readonly samples: ReadonlyArray<Wire.Sample>
  /** Newest first. */
  readonly happened: ReadonlyArray<{ readonly id: string } & Wire.Happened>
  /** Newest first. */
  readonly alerts: ReadonlyArray<{ readonly id: string } & Wire.AlertTold>
  /** Oldest first. */
  readonly lately: ReadonlyArray<Wire.Lately>
}

export const empty: View = {
  link: { _tag: "Connecting" },
  process: "",
  restarts: 0,
  samples: [],
  happened: [],
  alerts: [],
  lately: []
}

const limits = { samples: 300, happened: 200, alerts: 50, lately: 60 }

/** Appends a newer one; others are already known. */
const withNewer = <A extends { readonly at: number }>(known: ReadonlyArray<A>, one: A, limit: number) => {
  const last = known.at(-1)
  return last !== undefined && one.at <= last.at ? known : [...known, one].slice(-limit)
}

const withEntry = <A extends { readonly id: string }>(list: ReadonlyArray<A>, entry: A, limit: number) =>
  list.some(({ id }) => id === entry.id) ? list : [entry, ...list].slice(0, limit)

export const next = (view: View, told: Told, now: number): View => {
  switch (told._tag) {
    case "Connected":
      return {
        ...view,
        link: { _tag: "Live" },
        process: told.process,
        restarts: view.process !== "" && view.process !== told.process ? view.restarts + 1 : view.restarts
      }
    case "Sample":
      return { ...view, samples: withNewer(view.samples, told.sample, limits.samples) }
    case "Lately":
      return { ...view, lately: withNewer(view.lately, told.lately, limits.lately) }
    case "Happened":
      return { ...view, happened: withEntry(view.happened, { id: told.id, ...told.event }, limits.happened) }
    case "Alert":
      return { ...view, alerts: withEntry(view.alerts, { id: told.id, ...told.event }, limits.alerts) }
    case "Lost":
      return {
        ...view,
        link: { _tag: "Lost", reason: told.reason, since: view.link._tag === "Lost" ? view.link.since : now }
      }
    case "Refused":
      return { ...view, link: { _tag: "Refused", status: told.status } }
  }
}

export const latest = (view: View): Wire.Sample | undefined => view.samples.at(-1)
