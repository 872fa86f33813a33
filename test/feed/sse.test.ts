import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { History } from "../../src/internal/feed/history.js"
import { Decoder, encode, heartbeat, type Message } from "../../src/internal/feed/sse.js"

const word = fc.stringMatching(/^[a-z0-9-]{1,8}$/)

const message: fc.Arbitrary<Message> = fc.record({
  id: word,
  event: word,
  // A line break of any kind in the data comes back as the one kind.
  data: fc.string({ unit: fc.constantFrom("a", "{", ":", " ", "\n", "é") })
})

/** Cuts a text into pieces anywhere. */
const pieces = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b)
  return [...places, text.length].map((place, index) => text.slice(index === 0 ? 0 : places[index - 1], place))
}

describe("server-sent events", () => {
  it("come back as they were sent, wherever the text was cut and whatever heartbeats are between", () => {
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat()), (messages, cuts) => {
        const decoder = new Decoder()
        const text = messages.map((it) => heartbeat + encode(it)).join(heartbeat)
        expect(pieces(text, cuts).flatMap((piece) => decoder.push(piece))).toEqual(messages)
      })
    )
  })

  it("are read with every kind of line break, also where it is cut in two", () => {
    const decoder = new Decoder()
    expect(decoder.push("event: a\r\ndata: 1\r")).toEqual([])
    expect(decoder.push("\n\r\n")).toEqual([{ id: "", event: "a", data: "1" }])
    expect(decoder.push("data:2\r\rx")).toEqual([{ id: "", event: "message", data: "2" }])
  })

  it("that are cut off before their end are not read", () => {
    expect(new Decoder().push("event: a\ndata: 1\n")).toEqual([])
  })
})

describe("the history", () => {
  const kinds = fc.constantFrom("sample", "connection", "alert")
  const limits = { sample: 3, connection: 2, alert: 1 }

  it("keeps the newest of each kind, in order, and no more", () => {
    fc.assert(
      fc.property(fc.array(kinds), (told) => {
        const history = new History("p", limits)
        const all = told.map((event, index) => history.add(event, String(index)).message)
        const newestOf = (event: keyof typeof limits) => all.filter((it) => it.event === event).slice(-limits[event])
        const kept = [...newestOf("sample"), ...newestOf("connection"), ...newestOf("alert")]
        expect(history.after(0)).toEqual(all.filter((it) => kept.includes(it)))
        expect(history.newest).toBe(told.length)
      })
    )
  })

  it("goes on after the id that a reader saw last", () => {
    const history = new History("p", limits)
    for (const data of ["1", "2", "3"]) history.add("sample", data)
    expect(history.after(history.numberOf("p-2") ?? 0).map(({ data }) => data)).toEqual(["3"])
    expect(history.after(history.numberOf("p-3") ?? 0)).toEqual([])
  })

  it("knows no id of another process, none that it never gave, and none that is none", () => {
    const history = new History("p", limits)
    history.add("sample", "1")
    for (const id of ["q-1", "p-2", "p-x", "p--1", "p-0.5", "", "1", "pp-1"])
      expect(history.numberOf(id)).toBeUndefined()
  })
})
