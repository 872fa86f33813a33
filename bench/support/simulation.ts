/**
 * Many processes before one server, in virtual time: two cores cannot run 2,000 processes, and what is asked is what their
 * limits do to each other. The limits are the package's own; sockets and CPUs are left out.
 *
 * The server is a PostgREST with a small pool: whoever gets no database connection in time is answered PGRST003, and of those
 * who wait anybody may be next, as there.
 */
import { Limiter } from "../../src/internal/limit/limiter.js"

export interface World {
  readonly processes: number
  /** In each process, one request after the other. */
  readonly callers: number
  /** Connections that a process has for reads. */
  readonly connections: number
  readonly slots: number
  /** What an answer takes once it has a slot, in ms; `spread` of it by chance. */
  readonly service: number
  readonly spread?: number
  /** Longest wait for a slot, in ms. */
  readonly patience: number
  /** How long it lasts, in ms. */
  readonly lasts: number
  readonly isAdaptive: boolean
  readonly seed?: number
}

export interface Outcome {
  /** Of what the slots could have answered. */
  readonly goodput: number
  readonly refused: number
  /** Of those, after the first 3 s. */
  readonly refusedLate: number
  /** Callers that waited for longer than the 30 s that a pool waits. */
  readonly timedOut: number
  /** Fewest ÷ most answers of a process. */
  readonly fairness: number
  /** 99th percentile of what a caller waited ÷ what it is where all wait in one queue. */
  readonly p99: number
  readonly sentPerSuccess: number
}

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** A binary heap: what is due first comes first, and what is due together in the order in which it was planned. */
class Agenda {
  private readonly heap: Array<Due> = []
  private planned = 0

  plan(at: number, run: () => void): void {
    this.heap.push({ at, order: this.planned++, run })
    let child = this.heap.length - 1
    while (child > 0 && this.isBefore(child, (child - 1) >> 1)) {
      this.swap(child, (child - 1) >> 1)
      child = (child - 1) >> 1
    }
  }

  next(): Due | undefined {
    const [first] = this.heap
    const last = this.heap.pop()
    if (last === undefined || this.heap.length === 0) return first
    this.heap[0] = last
    let parent = 0
    for (;;) {
      const left = 2 * parent + 1
      const least = this.isBefore(left + 1, left) ? left + 1 : left
      if (!this.isBefore(least, parent)) return first
      this.swap(least, parent)
      parent = least
    }
  }

  private isBefore(one: number, other: number): boolean {
    const a = this.heap[one]
    const b = this.heap[other]
    return a !== undefined && (b === undefined || a.at < b.at || (a.at === b.at && a.order < b.order))
  }

  private swap(one: number, other: number): void {
    const a = this.heap[one]
    const b = this.heap[other]
    if (a === undefined || b === undefined) return
    this.heap[one] = b
    this.heap[other] = a
  }
}

/** Mulberry32: the same numbers each time. */
const randomOf = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Call {
  since: number
  attempts: number
}

interface Sent {
  readonly by: Process
  readonly call: Call
  readonly at: number
  isOver: boolean
}

interface Process {
  readonly waiting: Array<Call>
  readonly limiter: Limiter | undefined
  active: number
  answered: number
  breakEnds: number
}

const acquireTimeout = 30_000

class Simulation {
  private now = 0
  private busy = 0
  private queue: Array<Sent> = []
  private sent = 0
  private refused = 0
  private refusedLate = 0
  private timedOut = 0
  private readonly waits: Array<number> = []
  private readonly agenda: Agenda = new Agenda()
  private readonly random: () => number
  private readonly processes: ReadonlyArray<Process>
  private readonly world: World

  constructor(world: World) {
    this.world = world
    this.random = randomOf(world.seed ?? 1)
    this.processes = Array.from({ length: world.processes }, () => ({
      waiting: [],
      limiter: world.isAdaptive ? new Limiter(world.connections) : undefined,
      active: 0,
      answered: 0,
      breakEnds: Number.POSITIVE_INFINITY
    }))
  }

  run(): Outcome {
    for (const process of this.processes) {
      // They do not start in the same moment.
      this.agenda.plan(50 * this.random(), () => {
        for (let n = 0; n < this.world.callers; n += 1) process.waiting.push({ since: this.now, attempts: 0 })
        this.send(process)
      })
    }
    for (let due = this.agenda.next(); due !== undefined && due.at < this.world.lasts; due = this.agenda.next()) {
      this.now = due.at
      due.run()
    }
    return this.outcome()
  }

  private outcome(): Outcome {
    const { callers, lasts, processes, service, slots } = this.world
    const answered = this.processes.map((process) => process.answered)
    const all = answered.reduce((sum, one) => sum + one, 0)
    const sorted = this.waits.toSorted((a, b) => a - b)
    const ideal = Math.max(service, (processes * callers * service) / slots)
    return {
      goodput: (all * service) / (lasts * slots),
      refused: this.refused,
      refusedLate: this.refusedLate,
      timedOut: this.timedOut,
      fairness: Math.min(...answered) / Math.max(...answered),
      p99: (sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN) / ideal,
      sentPerSuccess: this.sent / all
    }
  }

  private send(process: Process): void {
    const { connections, patience } = this.world
    const { limiter, waiting } = process
    while (process.active < connections && limiter?.allows(process.active, this.now) !== false) {
      const call = waiting.shift()
      if (call === undefined) return
      if (this.now - call.since > acquireTimeout) {
        this.timedOut += 1
        waiting.push({ since: this.now, attempts: 0 })
        continue
      }
      process.active += 1
      this.sent += 1
      const request: Sent = { by: process, call, at: this.now, isOver: false }
      this.queue.push(request)
      this.agenda.plan(this.now + patience, () => this.refuse(request))
      this.serve()
    }
    this.planBreak(process)
  }

  private planBreak(process: Process): void {
    const { active, limiter, waiting } = process
    if (limiter === undefined || active > 0 || waiting.length === 0) return
    const at = this.now + limiter.breakAt(this.now)
    if (at <= this.now || process.breakEnds === at) return
    process.breakEnds = at
    this.agenda.plan(at, () => {
      process.breakEnds = Number.POSITIVE_INFINITY
      this.send(process)
    })
  }

  private serve(): void {
    const { service, slots, spread = 0.05 } = this.world
    while (this.busy < slots && this.queue.length > 0) {
      const at = Math.floor(this.random() * this.queue.length)
      const request = this.queue[at]
      const last = this.queue.pop()
      if (request === undefined || last === undefined) return
      if (request !== last) this.queue[at] = last
      request.isOver = true
      this.busy += 1
      const takes = service * (1 - spread - spread * Math.log(1 - this.random()))
      this.agenda.plan(this.now + takes, () => {
        this.busy -= 1
        this.answer(request)
        this.serve()
      })
    }
  }

  private answer({ at, by, call }: Sent): void {
    this.ended(by, at, "")
    by.answered += 1
    if (this.now > 3_000) this.waits.push(this.now - call.since)
    by.waiting.push({ since: this.now, attempts: 0 })
    this.send(by)
  }

  /** Tried again as a pool does: after 1 s, 2 s, 4 s, more or less. */
  private refuse(request: Sent): void {
    if (request.isOver) return
    request.isOver = true
    this.queue = this.queue.filter((other) => other !== request)
    this.refused += 1
    if (this.now > 3_000) this.refusedLate += 1
    const { at, by, call } = request
    this.ended(by, at, "PGRST003")
    this.agenda.plan(this.now + 1_000 * 2 ** Math.min(call.attempts, 2) * (0.8 + 0.4 * this.random()), () => {
      by.waiting.push(call)
      this.send(by)
    })
    call.attempts += 1
    this.send(by)
  }

  private ended(process: Process, sentAt: number, refused: string): void {
    process.active -= 1
    process.limiter?.ended({ shape: 1, refused }, sentAt, this.now, process.waiting.length > 0)
  }
}

export const simulate = (world: World): Outcome => new Simulation(world).run()
