import { Effect } from "effect"

/** Something that comes true one day, and one who waits for it. Whoever changes what it depends on looks. */
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
