import { type Cause, type Clock, Duration, Effect, Fiber } from "effect"
import type { AcquireError, AcquireTimeout } from "../../Errors.js"
import { AsyncContext } from "../shared/asyncContext.js"
import type { Deadlines } from "../shared/deadlines.js"
import { type Bag, Waiter } from "./bag.js"
import type { Caller, Lease, Resource } from "./lease.js"

/** What an acquisition needs of the pool. */
export interface Lender<R extends Resource> {
  readonly bag: Bag<Lease<R>>
  readonly deadlines: Deadlines
  lend(lease: Lease<R>, caller: Caller, now: number, waited: number): void
  takeBack(lease: Lease<R>): Effect.Effect<void> | undefined
  timedOut(since: number): AcquireTimeout
  now(): number
  readonly clock: Clock.Clock
}

/** Makes what it is given as interruptible as the borrower was. */
export type Restore = <A, E, S>(effect: Effect.Effect<A, E, S>) => Effect.Effect<A, E, S>

/** Who borrows, and what it does when it gets a lease and when it gets none. */
export interface Borrower<R extends Resource, A, E, S> {
  readonly caller: Caller
  readonly restore: Restore
  lent(lease: Lease<R>): Effect.Effect<A, E, S>
  refused(cause: Cause.Cause<AcquireError>): Effect.Effect<A, E, S>
}

/**
 * A caller that waits for a lease: from joining the queue until it has a lease or an error, or has gone.
 *
 * The answer may come before its fiber looks for it and after its fiber was interrupted, so it is kept here; what the
 * fiber never saw goes back with `abandon`.
 */
export class Acquisition<R extends Resource> extends Waiter<Lease<R>> {
  private lease: Lease<R> | undefined = undefined
  private error: AcquireError | undefined = undefined
  private resume: ((effect: Effect.Effect<Lease<R>, AcquireError>) => void) | undefined = undefined
  private readonly lender: Lender<R>
  private readonly caller: Caller
  /** When it joined the queue. */
  readonly since: number
  /** Whoever gives it a lease, it goes on in this. */
  private readonly context: AsyncContext = new AsyncContext()

  constructor(lender: Lender<R>, caller: Caller, since: number) {
    super()
    this.lender = lender
    this.caller = caller
    this.since = since
  }

  receive(lease: Lease<R>): void {
    this.lender.deadlines.remove(this)
    const now = this.lender.now()
    this.lender.lend(lease, this.caller, now, now - this.since)
    this.lease = lease
    this.tell(Effect.succeed(lease))
  }

  /** Call it outside the queue. */
  fail(error: AcquireError): void {
    this.lender.deadlines.remove(this)
    this.error = error
    this.tell(Effect.fail(error))
  }

  private tell(answer: Effect.Effect<Lease<R>, AcquireError>): void {
    const { resume } = this
    if (resume !== undefined) this.context.run(() => resume(answer))
  }

  get onExpire(): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.lender.bag.leave(this)) this.fail(this.lender.timedOut(this.since))
    })
  }

  wait<A, E, S>(borrower: Borrower<R, A, E, S>, limit?: number): Effect.Effect<A, E, S> {
    const answer = borrower.restore(this.answer)
    return Effect.matchCauseEffect(limit === undefined ? answer : this.within(limit, answer), {
      onSuccess: (lease) => borrower.lent(lease),
      onFailure: (cause) => {
        const late = this.abandon()
        return late === undefined ? borrower.refused(cause) : Effect.zipRight(late, borrower.refused(cause))
      }
    })
  }

  private get answer(): Effect.Effect<Lease<R>, AcquireError> {
    return Effect.async((resume) => {
      if (this.lease !== undefined) resume(Effect.succeed(this.lease))
      else if (this.error !== undefined) resume(Effect.fail(this.error))
      else this.resume = resume
    })
  }

  /** The caller has gone. What it was given in the meantime goes to the next. */
  private abandon(): Effect.Effect<void> | undefined {
    this.lender.deadlines.remove(this)
    this.lender.bag.leave(this)
    return this.lease === undefined ? undefined : this.lender.takeBack(this.lease)
  }

  /**
   * `answer`, ended after `limit` ms at the latest. It is ended by failing it, since interrupting it would wait for it
   * where the caller is uninterruptible.
   */
  private within<A, E>(limit: number, answer: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const timer = Effect.interruptible(Effect.zipRight(this.lender.clock.sleep(Duration.millis(limit)), this.onExpire))
    return Effect.flatMap(Effect.forkDaemon(timer), (running) => Effect.ensuring(answer, Fiber.interruptFork(running)))
  }
}
