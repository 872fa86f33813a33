import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { Bag, Waiter } from "../../src/internal/pool/bag.js"

class Visitor extends Waiter<number> {
  readonly received: Array<number> = []
  readonly name: number
  readonly onExpire = Effect.void
  constructor(name: number) {
    super()
    this.name = name
  }
  receive(lease: number): void {
    this.received.push(lease)
  }
}

let visits = 0

/** Counts how often the queue looks at or changes one of its neighbours: the steps of an operation. */
const counted = (name: number): Visitor => {
  const links: Record<string, Waiter<number> | undefined> = {}
  const link = (side: string): PropertyDescriptor => ({
    get: () => {
      visits += 1
      return links[side]
    },
    set: (waiter: Waiter<number> | undefined) => {
      visits += 1
      links[side] = waiter
    }
  })
  return Object.defineProperties(new Visitor(name), { before: link("before"), after: link("after") })
}

const visitsOf = (work: () => void): number => {
  const before = visits
  work()
  return visits - before
}

const filled = (size: number): { readonly bag: Bag<number>; readonly waiters: ReadonlyArray<Visitor> } => {
  const bag = new Bag<number>()
  const waiters = Array.from({ length: size }, (_, name) => counted(name))
  for (const waiter of waiters) bag.wait(waiter)
  return { bag, waiters }
}

const at = <A>(items: ReadonlyArray<A>, index: number): A => {
  const item = items[index]
  if (item === undefined) throw new Error(`nothing at ${index}`)
  return item
}

describe("Bag", () => {
  it("lends what was returned last", () => {
    const bag = new Bag<number>()
    for (const lease of [1, 2, 3]) bag.offer(lease)
    expect([bag.take(), bag.take(), bag.take(), bag.take()]).toEqual([3, 2, 1, undefined])
  })

  it("puts what was only pinged below what was used", () => {
    const bag = new Bag<number>()
    bag.offer(1)
    bag.offerBelow(2)
    expect(bag.idleLeases()).toEqual([2, 1])
  })

  it("hands a lease to whoever has waited longest, and keeps none back", () => {
    const bag = new Bag<number>()
    const [first, second] = [new Visitor(1), new Visitor(2)]
    bag.wait(first)
    bag.wait(second)
    expect(bag.offer(7)).toBe("handed over")
    expect([first.received, second.received, bag.idleCount, bag.pending]).toEqual([[7], [], 0, 1])
  })

  it("lets a waiter leave twice, and once it has been served", () => {
    const bag = new Bag<number>()
    const visitor = new Visitor(1)
    bag.wait(visitor)
    expect([bag.leave(visitor), bag.leave(visitor), bag.pending]).toEqual([true, false, 0])
  })

  it("lets go of a waiter's neighbours when it leaves, so that one who is remembered keeps nobody else in memory", () => {
    const { bag, waiters } = filled(3)
    const middle = at(waiters, 1)
    bag.leave(middle)
    expect([middle.before, middle.after]).toEqual([undefined, undefined])
  })

  it("takes as many steps with 10,000 waiters as with 10, wherever one joins, is served or leaves", () => {
    const steps = (size: number) => {
      const { bag, waiters } = filled(size)
      return {
        join: visitsOf(() => bag.wait(counted(-1))),
        leaveFromTheMiddle: visitsOf(() => bag.leave(at(waiters, size / 2))),
        serve: visitsOf(() => bag.offer(1))
      }
    }
    expect(steps(10_000)).toEqual(steps(10))
    expect(Math.max(...Object.values(steps(10_000)))).toBeLessThan(12)
  })

  it("does what a list of names and a list of leases would do", () => {
    const command = fc.oneof(
      fc.record({ type: fc.constant("wait" as const) }),
      fc.record({ type: fc.constant("offer" as const), below: fc.boolean() }),
      fc.record({ type: fc.constant("take" as const) }),
      fc.record({ type: fc.constant("leave" as const), nth: fc.nat(20) }),
      fc.record({ type: fc.constant("remove" as const), nth: fc.nat(20) }),
      fc.record({ type: fc.constant("dismiss" as const) })
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80, size: "max" }), (commands) => {
        const bag = new Bag<number>()
        const all: Array<Visitor> = []
        let waiting: Array<Visitor> = []
        let idle: Array<number> = []
        let lease = 0
        for (const step of commands) {
          if (step.type === "wait") {
            // As the pool does: nobody waits while something is idle.
            if (idle.length > 0) continue
            const visitor = new Visitor(all.length)
            all.push(visitor)
            waiting.push(visitor)
            bag.wait(visitor)
          } else if (step.type === "offer") {
            lease += 1
            const served = waiting.shift()
            if (step.below) bag.offerBelow(lease)
            else bag.offer(lease)
            if (served !== undefined) expect(served.received).toEqual([lease])
            else idle = step.below ? [lease, ...idle] : [...idle, lease]
          } else if (step.type === "take") {
            expect(bag.take()).toBe(idle.pop())
          } else if (step.type === "leave") {
            const visitor = all[step.nth]
            if (visitor === undefined) continue
            expect(bag.leave(visitor)).toBe(waiting.includes(visitor))
            waiting = waiting.filter((other) => other !== visitor)
          } else if (step.type === "remove") {
            expect(bag.remove(step.nth)).toBe(idle.includes(step.nth))
            idle = idle.filter((other) => other !== step.nth)
          } else {
            expect(bag.dismiss()).toEqual(waiting)
            waiting = []
          }
          expect([bag.pending, bag.idleLeases()]).toEqual([waiting.length, idle])
        }
      }),
      { numRuns: 500 }
    )
  })
})
