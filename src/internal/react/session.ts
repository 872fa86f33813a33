/** The page's state, kept up to date by one effect that runs while the page is shown. */
import { Clock, type Duration, Effect, Fiber, Schedule, Stream } from "effect"
import * as ask from "../feed/ask.js"
import { follow, type Server } from "../feed/client.js"
import type { HealthJson } from "../feed/health.js"
import * as View from "../feed/view.js"
import type * as Wire from "../feed/wire.js"

export interface Known {
  readonly view: View.View
  /** Requested while there is no token. */
  readonly health: HealthJson | undefined
  /** Why the health request failed; empty if it succeeded. */
  readonly problem: string
  readonly queries: Wire.QueryReport | undefined
}

export const nothing: Known = { view: View.empty, health: undefined, problem: "", queries: undefined }

/** For `useSyncExternalStore`. */
export class Session {
  private known: Known = nothing
  private readonly listeners: Set<() => void> = new Set()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly get = (): Known => this.known

  private set(change: Partial<Known>): void {
    this.known = { ...this.known, ...change }
    for (const listener of this.listeners) listener()
  }

  private readonly watch = (server: Server): Effect.Effect<void> =>
    Stream.runForEach(follow(server), (told) =>
      Effect.map(Clock.currentTimeMillis, (now) => this.set({ view: View.next(this.known.view, told, now) }))
    )

  private readonly askForHealth = (url: string): Effect.Effect<void> =>
    Effect.match(ask.health(url), {
      onFailure: ({ reason }) => this.set({ problem: reason }),
      onSuccess: (health) => this.set({ health, problem: "" })
    })

  /** A failed request keeps the last report: the event stream shows the server's problem. */
  private readonly askForQueries = (server: Server, window: Wire.Window): Effect.Effect<void> =>
    ask.queries(server, window).pipe(
      Effect.map((queries) => this.set({ queries })),
      Effect.ignore
    )

  /** Runs until the returned function is called. */
  start(effect: Effect.Effect<void>): () => void {
    const fiber = Effect.runFork(effect)
    return () => void Effect.runFork(Fiber.interrupt(fiber))
  }

  health(url: string, refresh: Duration.Duration): Effect.Effect<void> {
    return Effect.asVoid(Effect.repeat(this.askForHealth(url), Schedule.spaced(refresh)))
  }

  events(server: Server): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.sync(() => this.set({ view: View.empty })),
      this.watch(server)
    )
  }

  queries(server: Server, window: Wire.Window, refresh: Duration.Duration): Effect.Effect<void> {
    return Effect.asVoid(Effect.repeat(this.askForQueries(server, window), Schedule.spaced(refresh)))
  }

  reset(server: Server, done: (words: string) => void): void {
    Effect.runFork(
      Effect.match(ask.reset(server), {
        onFailure: ({ reason }) => done(`Nothing was reset: ${reason}.`),
        onSuccess: (count) => done(`${count} ${count === 1 ? "connection is" : "connections are"} being replaced.`)
      })
    )
  }
}
