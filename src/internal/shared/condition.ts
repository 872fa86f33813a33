import { Effect } from "effect"

/** A condition that becomes true later, and one waiter. Code that changes its inputs checks it. */
export class Condition {
  private tell: (() => void) | undefined = undefined
  private readonly holds: () => boolean

  constructor(holds: () => boolean) {
    this.holds = holds
  }

  look(): void {
    if (this.holds()) this.tell?.()
  }

  readonly met: Effect.Effect<void> = Effect.async((resume) => {
    this.tell = () => resume(Effect.void)
    this.look()
  })
}
