/** Rows one by one, for `for await`: pages as `db/stream.ts` asks for them. */
import { type Chunk, Effect, Exit, type Fiber, Option, Scope, Stream } from "effect"
import { AsyncContext, caller, outside } from "../shared/asyncContext.js"
import type { Host, Running } from "./host.js"
import { perhapsSpanned } from "./lateSpans.js"
import type { Services } from "./layers.js"
import type { User } from "./user.js"

/**
 * Rows of a stream, in order: `for await (const row of rows)`.
 *
 * Nothing is sent before the first row is asked for, and the second page is asked for when its first row is. From then on the
 * next page is asked for while one is used, and no page after it; each holds a connection until it has come. `break`, `return` and an error end it at once: a request that is under way is aborted. It is used once.
 *
 * @since 0.1.0
 * @category models
 */
export interface RowStream<Row> extends AsyncIterableIterator<Row, undefined, undefined> {
  readonly next: () => Promise<IteratorResult<Row, undefined>>
  /** Ends it; who still waits for a row is told that there is none. */
  readonly return: () => Promise<IteratorReturnResult<undefined>>
  /** Ends it, and rejects with this. */
  readonly throw: (error?: unknown) => Promise<IteratorReturnResult<undefined>>
  readonly [Symbol.asyncIterator]: () => RowStream<Row>
}

type Pages<Row> = Stream.Stream<Row, unknown, Services>

type Pull<Row> = Effect.Effect<Chunk.Chunk<Row>, Option.Option<unknown>, Services>

interface Open<Row> {
  readonly running: Running
  readonly scope: Scope.CloseableScope
  readonly pull: Pull<Row>
}

const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

class Rows<Row> implements RowStream<Row> {
  private readonly host: Host
  private readonly user: User | undefined
  private readonly make: (running: Running) => Pages<Row>
  private open: Open<Row> | undefined
  private page: Iterator<Row> | undefined
  /** Of the last page that was asked for. */
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  private isOver = false
  /** Calls of `next` at the same time are answered one after another. */
  private before: Promise<unknown> = Promise.resolve()
  private waiting = 0

  constructor(host: Host, user: User | undefined, make: (running: Running) => Pages<Row>) {
    this.host = host
    this.user = user
    this.make = make
  }

  readonly next = (): Promise<IteratorResult<Row, undefined>> => {
    const found = this.waiting === 0 ? this.page?.next() : undefined
    if (found !== undefined && found.done !== true) return Promise.resolve({ done: false, value: found.value })
    this.waiting += 1
    const context = new AsyncContext()
    const answer = this.before.then(() => this.row(context))
    const told = (): void => {
      this.waiting -= 1
    }
    this.before = answer.then(told, told)
    return answer
  }

  readonly return = async (): Promise<IteratorReturnResult<undefined>> => {
    await this.close()
    return done
  }

  readonly throw = async (error?: unknown): Promise<never> => {
    await this.close()
    throw error
  };

  [Symbol.asyncIterator](): this {
    return this
  }

  private async row(context: AsyncContext): Promise<IteratorResult<Row, undefined>> {
    try {
      while (!this.isOver) {
        const found = this.page?.next()
        if (found !== undefined && found.done !== true) return { done: false, value: found.value }
        this.page = Option.getOrUndefined(await this.nextPage(context))
        if (this.page === undefined) await this.close()
      }
      return done
    } catch (error) {
      await this.close()
      throw error
    }
  }

  private nextPage(context: AsyncContext): Promise<Option.Option<Iterator<Row>>> {
    return this.host.promiseOn(
      () => this.open?.running ?? this.host.started,
      (running, settle) => {
        const fiber = outside(() =>
          running.fork(perhapsSpanned(context, Effect.locally(this.pulled(running), caller, context)))
        )
        this.fiber = fiber
        fiber.addObserver((exit) => settle(this.isOver ? Exit.succeed(Option.none()) : exit))
      }
    )
  }

  /** None at the end. */
  private pulled(running: Running): Effect.Effect<Option.Option<Iterator<Row>>, unknown, Services> {
    const { open, user } = this
    const found = Effect.flatMap(
      open === undefined ? Effect.uninterruptible(this.opened(running)) : Effect.succeed(open),
      ({ pull }) =>
        Effect.matchEffect(pull, {
          onSuccess: (rows) => Effect.succeedSome(rows[Symbol.iterator]()),
          onFailure: Option.match({ onNone: () => Effect.succeedNone, onSome: (error) => Effect.fail(error) })
        })
    )
    return user === undefined ? found : user.as(running, found)
  }

  private opened(running: Running): Effect.Effect<Open<Row>, never, Services> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.make()
      const pull = yield* Scope.extend(Stream.toPull(this.make(running)), scope)
      const open = { running, scope, pull }
      this.open = open
      return open
    })
  }

  /** Whoever waits is told that there are no more, and what is under way is aborted. */
  private async close(): Promise<void> {
    const { fiber, open } = this
    this.isOver = true
    this.page = undefined
    this.fiber = undefined
    this.open = undefined
    if (fiber !== undefined) outside(() => fiber.unsafeInterruptAsFork(fiber.id()))
    if (open === undefined) return
    const { running, scope } = open
    await this.host.promiseOn(
      () => running,
      (_, settle) => outside(() => running.fork(Scope.close(scope, Exit.void))).addObserver(settle)
    )
  }
}

/** `make` is asked for the pages when the first row is. */
export const rowsOn = <Row>(
  host: Host,
  user: User | undefined,
  make: (running: Running) => Pages<Row>
): RowStream<Row> => new Rows(host, user, make)
