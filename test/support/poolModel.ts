/**
 * The pool as a page of rules, and random histories that the pool and the model live through together.
 *
 * The model says who holds, who waits and in which order, and until when; what the pool may decide itself (which
 * socket, when to probe) is held to invariants instead.
 */
import { Duration, Effect, Exit, type Fiber, FastCheck as fc, Logger, LogLevel, Random, Scope } from "effect"
import { type FakePool, FakeWorld, make, settle } from "./fakeResource.js"
import { VirtualClock } from "./virtualClock.js"
import { type Asker, ask, giveBack, interrupt } from "./waiting.js"

type Command =
  | { readonly type: "ask"; readonly patience: number | undefined }
  | { readonly type: Chosen; readonly nth: number }
  | { readonly type: "accept" | "refuse" | "reset" | "close" }
  | { readonly type: "database"; readonly state: FakeWorld["connecting"]; readonly pings: FakeWorld["pings"] }
  | { readonly type: "advance"; readonly millis: number }

/** Commands about one of several. */
type Chosen =
  | "give back"
  | "give back unfinished"
  | "return late"
  | "interrupt"
  | "serve and interrupt"
  | "lose idle"
  | "break busy"

const connectionTimeout = 2_500
const leakDetectionTimeout = 4_000
const shutdownTimeout = 1_500

const nth = fc.nat(7)

const about = (type: Chosen, weight: number) => ({ weight, arbitrary: fc.record({ type: fc.constant(type), nth }) })

const plain = (type: "accept" | "refuse" | "reset" | "close", weight: number) => ({
  weight,
  arbitrary: fc.record({ type: fc.constant(type) })
})

const commands: fc.Arbitrary<ReadonlyArray<Command>> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constant("ask" as const),
        patience: fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: undefined, freq: 4 })
      })
    },
    about("give back", 9),
    about("give back unfinished", 1),
    about("return late", 1),
    // While waiting in the queue, and while a socket is being opened for it: the world decides late.
    about("interrupt", 4),
    about("serve and interrupt", 4),
    about("lose idle", 2),
    about("break busy", 2),
    plain("accept", 8),
    plain("refuse", 4),
    plain("reset", 2),
    plain("close", 1),
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("database" as const),
        state: fc.constantFrom(
          "accept" as const,
          "refuse" as const,
          "decide" as const,
          "break" as const,
          "hang up" as const
        ),
        pings: fc.constantFrom("answered" as const, "failed" as const, "ignored" as const)
      })
    },
    {
      weight: 5,
      arbitrary: fc.record({ type: fc.constant("advance" as const), millis: fc.integer({ min: 1, max: 1_800 }) })
    }
  ),
  { maxLength: 45, size: "max" }
)

const limits = fc
  .record({ min: fc.integer({ min: 0, max: 3 }), extra: fc.integer({ min: 0, max: 3 }) })
  .map(({ extra, min }) => ({ min, max: Math.max(1, min + extra) }))

const pick = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % Math.max(1, items.length)]

/** Thrown with the history, so that a shrunk counterexample can be read. */
const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

/** One who asked, and since when they have had what they have. */
interface Party extends Asker {
  readonly until: number
  heldSince: number | undefined
  returned: boolean
}

class Model {
  /** In the order of asking. */
  readonly parties: Array<Party> = []
  closed: { readonly at: number; readonly fiber: Fiber.RuntimeFiber<void> } | undefined
  private readonly pool: FakePool
  private readonly limits: { readonly min: number; readonly max: number }
  private readonly clock: VirtualClock
  private readonly scope: Scope.CloseableScope

  constructor(
    pool: FakePool,
    limits: { readonly min: number; readonly max: number },
    clock: VirtualClock,
    scope: Scope.CloseableScope
  ) {
    this.pool = pool
    this.limits = limits
    this.clock = clock
    this.scope = scope
  }

  get waiting(): ReadonlyArray<Party> {
    return this.parties.filter((party) => party.state() === "waiting")
  }

  /** Got one and not returned it, whether or not it was taken away from them. */
  private get keeping(): ReadonlyArray<Party> {
    return this.parties.filter((party) => party.state() === "value" && !party.returned)
  }

  /** A leak is taken away after its time, and everything when the shutdown's time is over. */
  private isTakenAway({ heldSince = this.clock.now }: Party): boolean {
    const { closed } = this
    return (
      this.clock.now - heldSince >= leakDetectionTimeout ||
      (closed !== undefined && this.clock.now - closed.at >= shutdownTimeout)
    )
  }

  get holding(): ReadonlyArray<Party> {
    return this.keeping.filter((party) => !this.isTakenAway(party))
  }

  step(command: Command): Effect.Effect<void> {
    const before = this.waiting
    return this.act(command).pipe(Effect.zipRight(settle), Effect.zipRight(Effect.sync(() => this.check(before))))
  }

  private check(before: ReadonlyArray<Party>): void {
    const { pool, world } = this.pool
    const { closed, holding, waiting } = this
    const idle = pool.bag.idleCount
    const { connecting } = pool.connector
    demand(pool.active === holding.length, `active ${pool.active}, held ${holding.length}`)
    demand(pool.bag.pending === waiting.length, `pending ${pool.bag.pending}, waiting ${waiting.length}`)
    demand(pool.active + idle + connecting <= this.limits.max, "more than max")
    demand(world.openSockets <= this.limits.max, `the server sees ${world.openSockets}`)
    demand(connecting <= 2 || pool.statistics.created > 0, `${connecting} connecting before one has succeeded`)
    demand(idle === 0 || waiting.length === 0, "idle connections while somebody waits")
    demand(new Set(holding.map((party) => party.lease())).size === holding.length, "one lease lent twice")
    demand(waiting.length === 0 || connecting + pool.leases.size > 0, "somebody waits and nothing is on the way")
    demand(
      waiting.every(({ until }) => this.clock.now < until),
      "somebody waits longer than allowed"
    )
    demand(closed === undefined || waiting.length + idle + connecting === 0, "a closing pool lets wait, or keeps idle")
    // First come first served: of those who waited, the ones served stand before the ones that still wait.
    const served = before.map((party) => party.state() === "value")
    const still = before.findIndex((party) => party.state() === "waiting")
    demand(still === -1 || !served.slice(still).includes(true), "overtaken in the queue")
  }

  private ask(patience: number | undefined): Effect.Effect<Party> {
    const { pool } = this.pool
    const asked = this.clock.now
    return Effect.map(ask(pool, patience), (asker) => {
      const party: Party = Object.assign(asker, {
        until: asked + Math.min(connectionTimeout, patience ?? connectionTimeout),
        heldSince: undefined,
        returned: false
      })
      demand(this.closed === undefined || asker.state() === "PoolClosed", "a closing pool let somebody in")
      this.parties.push(party)
      return party
    })
  }

  /** Gives back, as a caller does whose work is done, or was not when it was interrupted. */
  private return(party: Party | undefined, unfinished = false): Effect.Effect<void> {
    if (party === undefined) return Effect.void
    party.returned = true
    if (unfinished && !this.isTakenAway(party) && party.lease().resource.isOpen) party.lease().resource.busy = true
    return giveBack(this.pool.pool, party)
  }

  private about(type: Chosen, index: number): Effect.Effect<unknown> {
    const { pool, world } = this.pool
    switch (type) {
      case "give back":
      case "give back unfinished":
        return this.return(pick(this.holding, index), type === "give back unfinished")
      case "return late":
        return this.return(
          pick(
            this.keeping.filter((party) => this.isTakenAway(party)),
            index
          )
        )
      case "interrupt": {
        const party = pick(this.waiting, index)
        return party === undefined ? Effect.void : interrupt(party)
      }
      case "serve and interrupt": {
        const party = pick(this.holding, index)
        const [first] = this.waiting
        if (party === undefined || first === undefined) return Effect.void
        party.returned = true
        // Handed over, and interrupted before its fiber has seen it.
        return Effect.zipRight(pool.giveBack(party.lease()), interrupt(first))
      }
      case "lose idle": {
        const lease = pick(pool.bag.idleLeases(), index)
        return lease === undefined ? Effect.void : world.hangUp(lease.resource)
      }
      case "break busy": {
        const party = pick(this.holding, index)
        return party === undefined ? Effect.void : world.hangUp(party.lease().resource)
      }
      default:
        return Effect.void
    }
  }

  private act(command: Command): Effect.Effect<unknown> {
    const { pool, world } = this.pool
    const acting = (): Effect.Effect<unknown> => {
      switch (command.type) {
        case "ask":
          return this.ask(command.patience)
        case "accept":
          return world.accept
        case "refuse":
          return world.refuse
        case "reset":
          return pool.reset
        case "close":
          return this.close
        case "database":
          return Effect.sync(() => Object.assign(world, { connecting: command.state, pings: command.pings }))
        case "advance":
          return this.advance(command.millis)
        default:
          return this.about(command.type, command.nth)
      }
    }
    return Effect.zipRight(acting(), this.noteServed)
  }

  /** In steps small enough to see when who was served. */
  private advance(millis: number): Effect.Effect<void> {
    const step = Math.min(millis, 50)
    if (step <= 0) return Effect.void
    return this.clock
      .adjust(step)
      .pipe(Effect.zipRight(this.noteServed), Effect.zipRight(Effect.suspend(() => this.advance(millis - step))))
  }

  private readonly noteServed: Effect.Effect<void> = Effect.sync(() => {
    for (const party of this.parties) {
      if (party.state() === "value") party.heldSince ??= party.lease().lentAt
    }
  })

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    if (this.closed !== undefined) return Effect.void
    const at = this.clock.now
    return Effect.map(Effect.forkDaemon(Scope.close(this.scope, Exit.void)), (fiber) => {
      this.closed = { at, fiber }
    })
  })

  /** When all is given back and the database answers, the whole maximum can be lent again: nothing was lost. */
  readonly nothingLost: Effect.Effect<void> = Effect.gen(this, function* () {
    const { world } = this.pool
    yield* Effect.forEach(this.waiting, interrupt)
    yield* Effect.forEach(this.holding, (party) => this.return(party))
    Object.assign(world, { connecting: "accept", pings: "answered" })
    while (world.undecided.length > 0) yield* world.accept
    // An attempt that fell silent is given up after ten seconds.
    yield* this.clock.adjust(12_000)
    for (let n = 0; n < this.limits.max; n += 1) {
      const party = yield* this.ask(undefined)
      demand(party.state() === "value", `only ${n} of ${this.limits.max} could be lent: ${party.state()}`)
    }
    demand((yield* this.ask(undefined)).state() === "waiting", "more than max could be lent")
  })

  /** However it was left: no socket, nobody waiting, and closing ended in time. */
  readonly nothingLeft: Effect.Effect<void> = Effect.gen(this, function* () {
    const { pool, world } = this.pool
    yield* this.close
    yield* this.clock.adjust(shutdownTimeout)
    demand(this.closed?.fiber.unsafePoll() != null, "closing has not ended after the shutdown timeout")
    demand(world.openSockets === 0, `${world.openSockets} sockets are open after closing`)
    demand(this.waiting.length === 0, "somebody waits for a closed pool")
    yield* Effect.forEach(this.keeping, (party) => this.return(party))
    demand(pool.active === 0 && pool.connector.connecting === 0, "a closed pool has something under way")
    yield* this.clock.adjust(10_000)
    demand(this.clock.sleepers.size === 0, `${this.clock.sleepers.size} timers are left`)
  })
}

export interface History {
  readonly commands: ReadonlyArray<Command>
  readonly limits: { readonly min: number; readonly max: number }
  /** Whether the pool is closed while it is at work, or after everybody has given back. */
  readonly closeAtWork: boolean
  /** Of the jitter in delays and ages. */
  readonly seed: number
}

export const histories: fc.Arbitrary<History> = fc.record({
  commands,
  limits,
  closeAtWork: fc.boolean(),
  seed: fc.nat()
})

export const live = ({ closeAtWork, commands, limits, seed }: History): Effect.Effect<void> =>
  Effect.suspend(() => {
    const clock = new VirtualClock()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
      const options = {
        ...limits,
        world,
        housekeeper: true,
        connectionTimeout: Duration.millis(connectionTimeout),
        leakDetectionTimeout: Duration.millis(leakDetectionTimeout),
        shutdownTimeout: Duration.millis(shutdownTimeout),
        idleTimeout: 3_000,
        keepaliveInterval: 2_000,
        maxLifetime: 20_000
      }
      const pool = yield* Scope.extend(make(options), scope)
      const model = new Model(pool, limits, clock, scope)
      for (const command of commands) yield* model.step(command)
      if (!closeAtWork && model.closed === undefined) yield* model.nothingLost
      yield* model.nothingLeft
    }).pipe(Effect.withClock(clock), Effect.withRandom(Random.make(seed)), Logger.withMinimumLogLevel(LogLevel.None))
  })
