import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { ConnectionFailed } from "../../src/Errors.js"
import {
  type ConnectCommand,
  type ConnectEvent,
  type ConnectState,
  type Demand,
  find,
  initial,
  step
} from "../../src/internal/pool/connectState.js"

const failure = (kind: ConnectionFailed["failure"]): ConnectionFailed =>
  new ConnectionFailed({ pool: "read", origin: "http://a", failure: kind, code: "", sent: false })

const refused = failure("refused")
const timeout = failure("timeout")

const idle: Demand = { now: 0, max: 10, sockets: 0, total: 0, least: 0, pending: 0 }

interface Told {
  readonly state: ConnectState
  /** Of the last event. */
  readonly commands: ReadonlyArray<ConnectCommand>
}

type Entry = readonly [event: ConnectEvent, demand?: Partial<Demand>]

const told = (entries: ReadonlyArray<Entry>, from: ConnectState = initial): Told =>
  entries.reduce<Told>(({ state }, [event, demand]) => step(state, event, { ...idle, ...demand }), {
    state: from,
    commands: []
  })

const begin = (...ids: ReadonlyArray<number>): ReadonlyArray<ConnectCommand> => ids.map((id) => ({ _tag: "Begin", id }))

const lookFor = (pending: number, demand: Partial<Demand> = {}): Entry => [{ _tag: "Look" }, { pending, ...demand }]
const event = (_tag: Exclude<ConnectEvent["_tag"], "Look" | "ProbeDue" | "Failed" | "Worthless">, id: number) =>
  ({ _tag, id }) as const
const failed = (id: number, error = refused): ConnectEvent => ({ _tag: "Failed", id, error })

/** One that hangs beside three who wait. */
const hanging: ReadonlyArray<Entry> = [
  lookFor(1, { max: 1 }),
  [event("Began", 0), { max: 1 }],
  [event("Slow", 0), { now: 1_000, max: 1, pending: 1 }]
]

describe("when a pool connects", () => {
  const rows: ReadonlyArray<
    readonly [title: string, entries: ReadonlyArray<Entry>, commands: ReadonlyArray<ConnectCommand>]
  > = [
    ["nobody asks: nothing", [lookFor(0)], []],
    ["two at first, however many ask", [lookFor(5)], begin(0, 1)],
    [
      "as many as are waited for, once one was opened",
      [lookFor(5), [event("Opened", 0)], lookFor(5)],
      begin(2, 3, 4, 5)
    ],
    ["the least is opened where nobody asks", [lookFor(0, { least: 1 })], begin(0)],
    ["no more than there is room for", [lookFor(5, { sockets: 9 })], begin(0)],
    ["one that closes has its place still", [lookFor(1, { sockets: 10 })], []],
    ["each attempt that is under way is for one who waits", [lookFor(1), lookFor(1)], []],
    [
      "after a failure one probe is planned",
      [lookFor(2), [event("Began", 0)], [failed(0)], [event("Gone", 0)], lookFor(2)],
      [{ _tag: "PlanProbe", delay: 50, elapsed: 0 }]
    ],
    ["and no second beside it", [lookFor(1), [failed(0)], [event("Gone", 0)], lookFor(1), lookFor(1)], []],
    [
      "the first failure is told as such",
      [lookFor(2), [failed(0)]],
      [{ _tag: "TellFailure", error: refused, isFirst: true }]
    ],
    [
      "the second is not",
      [lookFor(2), [failed(0)], [failed(1)]],
      [{ _tag: "TellFailure", error: refused, isFirst: false }]
    ],
    [
      "a probe that is answered and closed proves that connecting works",
      [
        lookFor(1),
        [failed(0)],
        [event("Gone", 0)],
        lookFor(1),
        [{ _tag: "ProbeDue" }],
        [event("ProbeAnswered", 1), { now: 9 }]
      ],
      [{ _tag: "TellRecovery", since: 0 }]
    ],
    [
      "beside one that hangs a probe goes out",
      [lookFor(1), [event("Began", 0)], [event("Slow", 0), { now: 1_000, pending: 1 }]],
      [{ _tag: "PlanProbe", delay: 50, elapsed: Number.POSITIVE_INFINITY }]
    ],
    [
      "one that is faster ends those that hang since before it",
      [
        lookFor(1),
        [event("Began", 0)],
        [event("Slow", 0), { now: 1_000, pending: 1 }],
        [{ _tag: "ProbeDue" }, { now: 1_000, pending: 1 }],
        [event("Began", 1), { now: 1_000 }],
        [event("Opened", 1), { now: 1_010 }]
      ],
      [{ _tag: "GiveUp", id: 0 }]
    ],
    [
      "where no probe has a place one that hangs is given up",
      [...hanging, [event("Silent", 0), { now: 3_000, max: 1, pending: 1 }]],
      [{ _tag: "GiveUp", id: 0 }]
    ],
    [
      "but not where one that began again failed after all its time: connecting takes long",
      [
        ...hanging,
        [event("Silent", 0), { now: 3_000, max: 1, pending: 1 }],
        [event("Ended", 0), { now: 3_000, max: 1, pending: 1 }],
        [event("Gone", 0), { now: 3_000, max: 1, pending: 1 }],
        lookFor(1, { now: 3_000, max: 1 }),
        [event("Began", 1), { now: 3_000, max: 1, pending: 1 }],
        [failed(1, timeout), { now: 10_000, max: 1, pending: 1 }],
        [event("Gone", 1), { now: 10_000, max: 1, pending: 1 }],
        [{ _tag: "ProbeDue" }, { now: 10_100, max: 1, pending: 1 }],
        [event("Began", 2), { now: 10_100, max: 1, pending: 1 }],
        [event("Slow", 2), { now: 11_100, max: 1, pending: 1 }],
        [event("Silent", 2), { now: 13_100, max: 1, pending: 1 }]
      ],
      []
    ]
  ]

  it.each(rows)("%s", (_, entries, commands) => {
    expect(told(entries).commands).toEqual(commands)
  })

  it("gives a probe beside one that hangs a second, and says nothing of its time-out", () => {
    const probed = told([
      lookFor(1),
      [event("Began", 0)],
      [event("Slow", 0), { now: 1_000, pending: 1 }],
      [{ _tag: "ProbeDue" }, { now: 1_000, pending: 1 }],
      [event("Began", 1), { now: 1_000 }]
    ])
    expect(find(probed.state, 1)).toMatchObject({ kind: "quick", limit: 1_000 })
    expect(told([[failed(1, timeout), { now: 2_000 }]], probed.state).commands).toEqual([])
    expect(told([[failed(1, refused), { now: 1_100 }]], probed.state).commands).toHaveLength(1)
  })

  it("gives those that were started again the time of one", () => {
    const again = told([
      ...hanging,
      [event("Silent", 0), { now: 3_000, max: 1, pending: 1 }],
      [event("Ended", 0)],
      [event("Gone", 0)],
      lookFor(1, { now: 3_000, max: 1 }),
      [event("Began", 1), { now: 3_000, max: 1 }]
    ])
    expect(find(again.state, 1)).toMatchObject({ limit: 7_000 })
  })

  /** A world that answers by chance: each attempt that was told to begin begins, then goes one of these ways. */
  const ends = fc.constantFrom<ConnectEvent["_tag"]>("Opened", "Failed", "Ended", "ProbeAnswered", "Slow", "Silent")
  interface Happening {
    readonly pending: number
    /** Which attempt. */
    readonly of: number
    readonly end: ConnectEvent["_tag"]
    readonly elapsed: number
    readonly isTimeout: boolean
  }

  const happening: fc.Arbitrary<Happening> = fc.record({
    pending: fc.nat(6),
    of: fc.nat(),
    end: ends,
    elapsed: fc.constantFrom(0, 10, 400, 1_000, 5_000),
    isTimeout: fc.boolean()
  })

  interface World {
    state: ConnectState
    sockets: number
    now: number
    probes: number
  }

  const max = 4

  const tell = (world: World, happened: ConnectEvent, pending: number): void => {
    const demand = { now: world.now, max, sockets: world.sockets, total: world.sockets, least: 0, pending }
    const { commands, state } = step(world.state, happened, demand)
    world.state = state
    for (const command of commands) {
      if (command._tag === "PlanProbe") world.probes += 1
      if (command._tag === "Begin") tell(world, event("Began", command.id), pending)
    }
  }

  const happen = (world: World, { elapsed, end, isTimeout, of, pending }: Happening): void => {
    world.now += elapsed
    tell(world, { _tag: "Look" }, pending)
    if (world.probes > 0) {
      world.probes -= 1
      tell(world, { _tag: "ProbeDue" }, pending)
    }
    const { attempts } = world.state
    const one = attempts[of % Math.max(1, attempts.length)]
    if (one === undefined) return
    if (end === "Failed") tell(world, failed(one.id, isTimeout ? timeout : refused), pending)
    else if (end === "ProbeAnswered" && one.kind === "usual") return
    else if (end === "Opened" || end === "Ended" || end === "ProbeAnswered" || end === "Slow" || end === "Silent") {
      tell(world, event(end, one.id), pending)
    }
    if (end === "Opened") world.sockets += 1
    if (end === "Failed" || end === "Ended" || end === "ProbeAnswered") tell(world, event("Gone", one.id), pending)
  }

  const worlds = fc.array(happening, { maxLength: 60, size: "max" })

  it("never has more sockets than the pool may have, and one probe at a time beside those that hang", () => {
    fc.assert(
      fc.property(worlds, (happenings) => {
        const world: World = { state: initial, sockets: 0, now: 0, probes: 0 }
        for (const one of happenings) {
          happen(world, one)
          const { attempts } = world.state
          expect(attempts.length + world.sockets).toBeLessThanOrEqual(max)
          expect(attempts.filter(({ isSlow, kind }) => kind !== "usual" && !isSlow).length).toBeLessThanOrEqual(1)
        }
      })
    )
  })

  it("never forgets those who wait: something is under way or planned wherever there is room", () => {
    fc.assert(
      fc.property(worlds, (happenings) => {
        const world: World = { state: initial, sockets: 0, now: 0, probes: 0 }
        for (const one of happenings) {
          happen(world, one)
          tell(world, { _tag: "Look" }, 1)
          const isUnderway = world.state.attempts.length > 0 || world.probes > 0
          expect(isUnderway || world.sockets === max).toBe(true)
        }
      })
    )
  })
})
