/** Everything that may happen to a pool, again and again. */
import { Effect, Random, type Scope } from "effect"
import type * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import * as RateLimit from "../../src/RateLimit.js"
import type { Fault, TcpProxy } from "../../test/support/tcpProxy.js"
import { burst } from "./callers.js"
import { tallies } from "./counted.js"

const faults: ReadonlyArray<Fault> = [
  { kind: "silence" },
  { kind: "resetOnAccept" },
  { kind: "resetAfterRequest", bytes: 20 },
  { kind: "cutAnswer", bytes: 0, how: "reset" },
  { kind: "cutAnswer", bytes: 60, how: "end" },
  { kind: "byteByByte" },
  { kind: "drip", millis: 200 },
  { kind: "garbage", text: "SSH-2.0-OpenSSH_9.2\r\n\r\n" }
]

const pickFrom = <A>(items: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, items.length), (at) => {
    const item = items[at]
    if (item === undefined) throw new Error("nothing to pick from")
    return item
  })

/** A fault for some connections every half second, a reset now and then, an outage of three seconds each minute. */
export const trouble = (proxy: TcpProxy): Effect.Effect<void, never, Db.Provided | Scope.Scope> =>
  Effect.gen(function* () {
    for (let round = 1; ; round += 1) {
      yield* Effect.sleep("500 millis")
      const fault = yield* pickFrom(faults)
      tallies.faults += 1
      proxy.fault = fault
      const pool = yield* pickFrom([yield* Pool.ReadPool, yield* Pool.WritePool])
      if (round % 3 === 0) proxy.cut()
      if (round % 10 === 0) yield* Effect.forkScoped(RateLimit.withKey(`burst ${round}`)(burst))
      if (round % 4 === 0) {
        tallies.resets += 1
        yield* pool.reset
      }
      yield* Effect.sleep("150 millis")
      proxy.fault = { kind: "none" }
      if (round % 90 === 0) {
        tallies.outages += 1
        // The end of the run may come in the middle of it, and is no reason to stay away.
        yield* Effect.acquireUseRelease(
          Effect.zipRight(
            proxy.down,
            Effect.sync(() => proxy.cut())
          ),
          () => Effect.sleep("3 seconds"),
          () => proxy.up
        )
      }
    }
  })
