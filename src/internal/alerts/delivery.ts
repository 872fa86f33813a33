/**
 * How events reach sinks: each sink has its own queue and fiber, so that a slow, broken or missing one delays neither the
 * others nor the alerts.
 */
import { Cause, Duration, Effect, Exit, Queue, type Scope } from "effect"
import type { AlertEvent, Sink } from "../../Alerts.js"
import { forkBackground } from "../shared/asyncContext.js"
import { clause, count, period, withoutSecrets } from "../shared/text.js"

/** The number of events that wait for a slow sink; then the oldest are dropped. */
const backlog = 64

/** Longer than the built-in sinks need with all their retries. */
const patience = Duration.minutes(5)

/** The failure's own words without a stack, for it may have come from anywhere. */
const words = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return withoutSecrets(clause(error instanceof Error ? error.message : String(error)))
}

class Mailbox<R> {
  private failing = false
  private lost = 0
  private readonly sink: Sink<R>
  private readonly queue: Queue.Queue<AlertEvent>

  constructor(sink: Sink<R>, queue: Queue.Queue<AlertEvent>) {
    this.sink = sink
    this.queue = queue
  }

  /** Never waits and never fails. */
  readonly post = (event: AlertEvent): Effect.Effect<void> =>
    Effect.flatMap(Queue.size(this.queue), (waiting) => {
      if (waiting >= backlog) this.lost += 1
      return Queue.offer(this.queue, event)
    })

  /** Sends one event after the other, without end. */
  get deliver(): Effect.Effect<never, never, R> {
    return Queue.take(this.queue).pipe(
      Effect.flatMap((event) => Effect.exit(this.attempt(event))),
      Effect.flatMap((exit) => this.note(exit)),
      Effect.forever
    )
  }

  private attempt(event: AlertEvent): Effect.Effect<unknown, unknown, R> {
    return Effect.suspend(() => this.sink.send(event)).pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => new Error(`took longer than ${period(patience)}`)
      })
    )
  }

  /** A sink that stays broken is logged once, and once more when it works again. */
  private note(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (Exit.isFailure(exit)) {
      this.lost += 1
      if (this.failing) return Effect.void
      this.failing = true
      return Effect.logWarning(
        `alerts do not reach ${this.sink.name}: ${words(exit.cause)}. Nothing else is affected; this is not logged again until it works.`
      )
    }
    if (!this.failing && this.lost === 0) return Effect.void
    const { lost } = this
    this.failing = false
    this.lost = 0
    return Effect.logInfo(`alerts reach ${this.sink.name} again; ${count(lost, "notification")} did not`)
  }
}

/** Posts to every sink at once; the delivery goes on in the background until the scope closes. */
export const open = <R>(
  sinks: ReadonlyArray<Sink<R>>
): Effect.Effect<(event: AlertEvent) => Effect.Effect<void>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const mailboxes: Array<Mailbox<R>> = []
    for (const sink of sinks) {
      const mailbox = new Mailbox(sink, yield* Queue.sliding<AlertEvent>(backlog))
      yield* forkBackground(mailbox.deliver)
      mailboxes.push(mailbox)
    }
    return (event) => Effect.forEach(mailboxes, (mailbox) => mailbox.post(event), { discard: true })
  })
