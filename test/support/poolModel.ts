/**
 * The pool as a page of rules, and random histories that the pool and the model live through together.
 *
 * The model says who holds, who waits and in which order; what the pool may decide itself (which socket, when to
 * probe) is held to invariants instead.
 */
import { Duration, Effect, Exit, FastCheck as fc, Logger, LogLevel, Scope, TestClock } from "effect"
import { type FakePool, FakeWorld, make, settle } from "./fakeResource.js"
import { type Asker, ask, giveBack, interrupt } from "./waiting.js"

type Command =
  | { readonly type: "ask" }
  | {
      readonly type: "give back" | "interrupt" | "serve and interrupt" | "lose idle" | "break busy"
      readonly nth: number
    }
  | { readonly type: "accept" | "refuse" | "reset" }
  | { readonly type: "advance"; readonly millis: number }

const nth = fc.nat(7)

const commands: fc.Arbitrary<ReadonlyArray<Command>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant("ask" as const) }) },
    { weight: 5, arbitrary: fc.record({ type: fc.constant("give back" as const), nth }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("interrupt" as const), nth }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("serve and interrupt" as const), nth }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("accept" as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("refuse" as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("lose idle" as const), nth }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("break busy" as const), nth }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("reset" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("advance" as const), millis: fc.integer({ min: 1, max: 900 }) })
    }
  ),
  { maxLength: 40 }
)

const limits = fc
  .record({ min: fc.integer({ min: 0, max: 3 }), extra: fc.integer({ min: 0, max: 3 }) })
  .map(({ extra, min }) => ({ min, max: Math.max(1, min + extra) }))

const pick = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % Math.max(1, items.length)]

/** Thrown with the history, so that a shrunk counterexample can be read. */
const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

class Model {
  /** In the order of asking. */
  readonly askers: Array<Asker> = []
  readonly returned: Set<Asker> = new Set()
  private readonly pool: FakePool
  private readonly limits: { readonly min: number; readonly max: number }

  constructor(pool: FakePool, limits: { readonly min: number; readonly max: number }) {
    this.pool = pool
    this.limits = limits
  }

  get waiting(): ReadonlyArray<Asker> {
    return this.askers.filter((asker) => asker.state() === "waiting")
  }

  get holding(): ReadonlyArray<Asker> {
    return this.askers.filter((asker) => asker.state() === "value" && !this.returned.has(asker))
  }

  step(command: Command): Effect.Effect<void> {
    const before = this.waiting
    return this.act(command).pipe(Effect.zipRight(settle), Effect.zipRight(Effect.sync(() => this.check(before))))
  }

  private check(before: ReadonlyArray<Asker>): void {
    const { core, world } = this.pool
    const { holding, waiting } = this
    const idle = core.bag.idleCount
    const { connecting } = core.opener
    demand(core.active === holding.length, `active ${core.active}, held ${holding.length}`)
    demand(core.bag.pending === waiting.length, `pending ${core.bag.pending}, waiting ${waiting.length}`)
    demand(core.active + idle + connecting <= this.limits.max, "more than max")
    demand(world.openSockets <= this.limits.max, `the server sees ${world.openSockets}`)
    demand(connecting <= 2, `${connecting} connecting`)
    demand(idle === 0 || waiting.length === 0, "idle connections while somebody waits")
    demand(new Set(holding.map((asker) => asker.lease())).size === holding.length, "one lease lent twice")
    demand(waiting.length === 0 || connecting + core.leases.size > 0, "somebody waits and nothing is on the way")
    // First come first served: of those who waited, the ones served stand before the ones that still wait.
    const served = before.map((asker) => asker.state() === "value")
    const still = before.findIndex((asker) => asker.state() === "waiting")
    demand(still === -1 || !served.slice(still).includes(true), "overtaken in the queue")
  }

  private act(command: Command): Effect.Effect<unknown> {
    const { core, world } = this.pool
    switch (command.type) {
      case "ask":
        return Effect.map(ask(core), (asker) => this.askers.push(asker))
      case "give back": {
        const asker = pick(this.holding, command.nth)
        if (asker === undefined) return Effect.void
        this.returned.add(asker)
        return giveBack(core, asker)
      }
      case "interrupt": {
        const asker = pick(this.waiting, command.nth)
        return asker === undefined ? Effect.void : interrupt(asker)
      }
      case "serve and interrupt": {
        const asker = pick(this.holding, command.nth)
        const [first] = this.waiting
        if (asker === undefined || first === undefined) return Effect.void
        this.returned.add(asker)
        // Handed over, and interrupted before its fiber has seen it.
        return Effect.zipRight(core.giveBack(asker.lease()), interrupt(first))
      }
      case "lose idle": {
        const lease = pick(core.bag.idleLeases(), command.nth)
        return lease === undefined ? Effect.void : world.hangUp(lease.resource)
      }
      case "break busy": {
        const asker = pick(this.holding, command.nth)
        return asker === undefined ? Effect.void : world.hangUp(asker.lease().resource)
      }
      case "accept":
        return world.accept
      case "refuse":
        return world.refuse
      case "reset":
        return core.reset
      case "advance":
        return TestClock.adjust(Duration.millis(command.millis))
      default:
        return Effect.void
    }
  }

  /** When all is given back and the database answers, the whole maximum can be lent again: nothing was lost. */
  readonly nothingLost: Effect.Effect<void> = Effect.gen(this, function* () {
    const { core, world } = this.pool
    yield* Effect.forEach(this.waiting, interrupt)
    yield* Effect.forEach(this.holding, (asker) => {
      this.returned.add(asker)
      return giveBack(core, asker)
    })
    world.connecting = "accept"
    while (world.undecided.length > 0) yield* world.accept
    yield* TestClock.adjust("2 seconds")
    for (let n = 0; n < this.limits.max; n += 1) {
      const asker = yield* ask(core)
      demand(asker.state() === "value", `only ${n} of ${this.limits.max} could be lent: ${asker.state()}`)
      this.askers.push(asker)
    }
    demand((yield* ask(core)).state() === "waiting", "more than max could be lent")
  })
}

export interface History {
  readonly commands: ReadonlyArray<Command>
  readonly limits: { readonly min: number; readonly max: number }
  /** Whether the pool is closed while it is at work, or after everybody has given back. */
  readonly closeAtWork: boolean
}

export const histories: fc.Arbitrary<History> = fc.record({ commands, limits, closeAtWork: fc.boolean() })

export const live = ({ closeAtWork, commands, limits }: History): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const world = Object.assign(new FakeWorld(), { connecting: "decide" as const })
    const pool = yield* Scope.extend(
      make({ ...limits, world, housekeeper: true, connectionTimeout: Duration.millis(2_500) }),
      scope
    )
    const model = new Model(pool, limits)
    for (const command of commands) yield* model.step(command)
    if (!closeAtWork) yield* model.nothingLost
    yield* Scope.close(scope, Exit.void)
    yield* settle
    demand(world.openSockets === 0, `${world.openSockets} sockets are open after closing`)
    demand(model.waiting.length === 0, "somebody waits for a closed pool")
    yield* Effect.forEach(model.holding, (asker) => pool.core.giveBack(asker.lease()))
    demand(pool.core.active === 0 && pool.core.opener.connecting === 0, "a closed pool has something under way")
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
