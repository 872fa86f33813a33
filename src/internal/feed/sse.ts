/**
 * Server-sent events as text and back (https://html.spec.whatwg.org/multipage/server-sent-events.html). Browsers have their
 * own reader, but it cannot send an `Authorization` header.
 */

export interface Message {
  /** Where to resume after a lost connection; empty if there is no position. */
  readonly id: string
  readonly event: string
  readonly data: string
}

/** One message; data with line breaks gets a `data:` line for each. */
export const encode = ({ data, event, id }: Message): string =>
  `${id === "" ? "" : `id: ${id}\n`}event: ${event}\n${data
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join("")}\n`

/** Shows proxies and readers that the connection is alive. */
export const heartbeat = ": still here\n\n"

/** Returns the messages of a text that arrives in pieces. */
export class Decoder {
  private rest = ""
  private id = ""
  private event = ""
  private data: Array<string> = []

  push(chunk: string): ReadonlyArray<Message> {
    const text = this.rest + chunk
    // A carriage return at the end may be half of a line break.
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text
    const lines = whole.split(/\r\n|\r|\n/)
    this.rest = (lines.pop() ?? "") + text.slice(whole.length)
    return lines.flatMap((line) => this.line(line))
  }

  private line(line: string): ReadonlyArray<Message> {
    if (line === "") return this.dispatch()
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "data") this.data.push(value)
    else if (field === "event") this.event = value
    else if (field === "id" && !value.includes("\0")) this.id = value
    return []
  }

  private dispatch(): ReadonlyArray<Message> {
    const { data, event } = this
    this.data = []
    this.event = ""
    if (data.length === 0) return []
    return [{ id: this.id, event: event === "" ? "message" : event, data: data.join("\n") }]
  }
}
