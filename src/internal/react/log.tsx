import { type ReactNode, useId, useState } from "react"
import { broke } from "../audit/eventType.js"
import * as format from "../feed/format.js"
import type { View } from "../feed/view.js"
import type * as Wire from "../feed/wire.js"

type Kind = Wire.Happened["type"]

type Tone = "bad" | "warn" | "plain"

const told: Readonly<Record<Kind, readonly [word: string, tone: Tone]>> = {
  created: ["opened", "plain"],
  acquired: ["lent", "plain"],
  released: ["returned", "plain"],
  "idle-closed": ["closed: idle", "plain"],
  retired: ["closed: old", "plain"],
  leaked: ["held too long", "bad"],
  reclaimed: ["taken back", "warn"],
  reset: ["closed: reset", "plain"],
  failed: ["broke", "bad"],
  closed: ["closed: shutdown", "plain"]
}

interface Filter {
  readonly name: string
  readonly holds: (event: Wire.Happened) => boolean
  readonly none: string
}

const everything: Filter = {
  name: "everything",
  holds: () => true,
  none: "Nothing has happened yet. Connections that are opened or closed appear here."
}

const filters: ReadonlyArray<Filter> = [
  everything,
  {
    name: "leaks",
    holds: ({ type }) => type === "leaked" || type === "reclaimed",
    none: "No connection was held too long."
  },
  { name: "failures", holds: broke, none: "No connection failed." }
]

const shown = 40

/** A connection that never opened, or that its caller left, did not break. */
const outcomeOf = (event: Wire.Happened): readonly [word: string, tone: Tone] => {
  const { connectionId, type } = event
  if (type === "failed" && connectionId === "") return ["not opened", "bad"]
  if (type === "failed" && !broke(event)) return ["left", "plain"]
  return told[type]
}

const whoOrWhy = ({ holder, reason }: Wire.Happened): string => (reason === "" ? holder : reason)

interface OptionalProps {
  readonly text: string
  readonly className: string
  /** Shown before it where the head of the table is not. */
  readonly label?: string
}

/** What there may be nothing to say of: a phone leaves it out then. */
const Optional = ({ className, label, text }: OptionalProps): ReactNode => (
  <td className={text === "" ? `${className} spm-none` : className} data-label={label}>
    {text === "" ? "–" : text}
  </td>
)

const Row = ({ event }: { readonly event: Wire.Happened }): ReactNode => {
  const [word, tone] = outcomeOf(event)
  return (
    <tr>
      <td className="spm-number">{format.clock(event.at)}</td>
      <td>{event.pool}</td>
      <td>
        <span className={`spm-tag spm-tag-${tone}`}>{word}</span>
      </td>
      <Optional className="spm-number" label="held for" text={event.held > 0 ? format.millis(event.held) : ""} />
      <Optional className="spm-wrap" text={whoOrWhy(event)} />
      <Optional className="spm-code" text={event.connectionId} />
    </tr>
  )
}

/** Newest first. */
export const EventLog = ({ happened }: { readonly happened: View["happened"] }): ReactNode => {
  const [filter, setFilter] = useState(everything)
  const heading = useId()
  const wanted = happened.filter(filter.holds).slice(0, shown)
  return (
    <section className="spm-card" aria-labelledby={heading}>
      <div className="spm-card-head">
        <h3 id={heading}>Connections, as it happened</h3>
        <label className="spm-select">
          Show{" "}
          <select
            value={filter.name}
            onChange={({ currentTarget }) => setFilter(filters[currentTarget.selectedIndex] ?? everything)}
          >
            {filters.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {wanted.length === 0 ? (
        <p className="spm-empty">{filter.none}</p>
      ) : (
        // Scrollable content must be reachable by keyboard.
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
