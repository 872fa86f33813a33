import { Effect, Exit, Fiber } from "effect"

/** A recurring event, and the fibers that wait for the next one. */
export class Signal {
  private readonly toTell: Set<() => void> = new Set()

  tell(): void {
    const told = [...this.toTell]
    this.toTell.clear()
    for (const tell of told) tell()
  }

  /**
   * Waits for the signal, at most for `delay`; returns whether the signal came.
   *
   * Not `Effect.raceFirst`: a fiber that is interrupted after the race's fibers were created and before they began never
   * ends (Effect 3.22).
   */
  before<E, R>(delay: Effect.Effect<unknown, E, R>): Effect.Effect<boolean, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.forkDaemon(Effect.interruptible(delay)), (running) =>
        Effect.ensuring(restore(this.sooner(running)), Fiber.interruptFork(running))
      )
    )
  }

  private sooner<E>(running: Fiber.RuntimeFiber<unknown, E>): Effect.Effect<boolean, E> {
    return Effect.async((resume) => {
      const told = (): void => resume(Effect.succeed(true))
      this.toTell.add(told)
      running.addObserver((exit) => {
        this.toTell.delete(told)
        resume(Exit.as(exit, false))
      })
      return Effect.sync(() => this.toTell.delete(told))
    })
  }
}
