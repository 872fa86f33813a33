import { type ReactNode, useId, useState } from "react"
import { broke } from "../audit/eventType.js"
import * as format from "../feed/format.js"
import type { View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"

type Kind = Wire.Happened["type"]

const words: Readonly<Record<Kind, string>> = {
  created: "opened",
  acquired: "lent",
  released: "returned",
  "idle-closed": "closed: idle",
  retired: "closed: old",
  leaked: "held too long",
  reclaimed: "taken back",
  reset: "closed: reset",
  failed: "broke",
  closed: "closed: shutdown"
}

const tones: Readonly<Record<Kind, "bad" | "warn" | "plain">> = {
  created: "plain",
  acquired: "plain",
  released: "plain",
  "idle-closed": "plain",
  retired: "plain",
  leaked: "bad",
  reclaimed: "warn",
  reset: "plain",
  failed: "bad",
  closed: "plain"
}

const filters: Readonly<Record<string, (event: Wire.Happened) => boolean>> = {
  everything: () => true,
  leaks: ({ type }) => type === "leaked" || type === "reclaimed",
  failures: broke
}

const shown = 40

const outcomeOf = (event: Wire.Happened): readonly [word: string, tone: string] => {
  const { connectionId, type } = event
  if (type === "failed" && connectionId === "") return ["not opened", "bad"]
  if (type === "failed" && !broke(event)) return ["left", "plain"]
  return [words[type], tones[type]]
}

const whoOrWhy = ({ holder, reason }: Wire.Happened): string => {
  if (reason !== "") return reason
  return holder === "" ? "–" : holder
}

const Row = ({ event }: { readonly event: Wire.Happened }): ReactNode => {
  const [word, tone] = outcomeOf(event)
  return (
    <tr>
      <td className="spm-number">{format.clock(event.at)}</td>
      <td>{event.pool}</td>
      <td>
        <span className={`spm-tag spm-tag-${tone}`}>{word}</span>
      </td>
      <td className="spm-number">{event.held > 0 ? format.millis(event.held) : "–"}</td>
      <td className="spm-wrap">{whoOrWhy(event)}</td>
      <td className="spm-code">{event.connectionId === "" ? "–" : event.connectionId}</td>
    </tr>
  )
}

/** The newest first. */
export const EventLog = ({ happened }: { readonly happened: View["happened"] }): ReactNode => {
  const [filter, setFilter] = useState("everything")
  const heading = useId()
  const wanted = happened.filter((event) => filters[filter]?.(event) ?? true).slice(0, shown)
  return (
    <section className="spm-card" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>Connections, as it happened</h3>
        <label className="spm-select">
          Show{" "}
          <select value={filter} onChange={({ currentTarget }) => setFilter(currentTarget.value)}>
            {Object.keys(filters).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {wanted.length === 0 ? (
        <p className="spm-empty">
          {filter === "leaks"
            ? "No connection was held longer than it may be."
            : filter === "failures"
              ? "No connection failed."
              : "Nothing has happened yet. Connections that are opened or closed appear here."}
        </p>
      ) : (
        // What scrolls must be reachable by keyboard.
        <section className="spm-scroll" tabIndex={0} aria-label="Table of events">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Pool</th>
                <th scope="col">Event</th>
                <th scope="col" className="spm-number">
                  Held for
                </th>
                <th scope="col">By, or why</th>
                <th scope="col">Connection</th>
              </tr>
            </thead>
            <tbody>
              {wanted.map((event) => (
                <Row key={event.id} event={event} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  )
}
