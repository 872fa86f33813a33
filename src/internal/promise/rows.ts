/** Rows one by one, for `for await`: a page is asked for when somebody wants a row of it. */
import { type Chunk, Effect, Exit, type Fiber, Option, Scope, Stream } from "effect"
import { AsyncContext, caller, outside } from "../asyncContext.js"
import type { Host, Running } from "./host.js"
import type { Services } from "./layers.js"
import type { User } from "./user.js"

/**
 * Rows of a stream, in order: `for await (const row of rows)`.
 *
 * Nothing is sent before the first row is asked for, a page is asked for when its first row is, and between two pages no
 * connection is held. `break`, `return` and an error end it at once: a request that is under way is aborted. It is used once.
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

/** `make` is asked for the pages when the first row is. */
export const rowsOn = <Row>(
  host: Host,
  user: User | undefined,
  make: (running: Running) => Pages<Row>
): RowStream<Row> => {
  let open: Open<Row> | undefined
  let isOver = false
  let page: Iterator<Row> | undefined
  let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Calls of `next` at the same time are answered one after another. */
  let before: Promise<unknown> = Promise.resolve()
  let waiting = 0

  const start = (running: Running): Effect.Effect<Open<Row>, never, Services> =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pull = yield* Scope.extend(Stream.toPull(make(running)), scope)
      open = { running, scope, pull }
      return open
    })

  /** Undefined at the end. */
  const pulled = (running: Running): Effect.Effect<Iterator<Row> | undefined, unknown, Services> => {
    const found = Effect.flatMap(
      open === undefined ? Effect.uninterruptible(start(running)) : Effect.succeed(open),
      ({ pull }) =>
        Effect.matchEffect(pull, {
          onSuccess: (rows) => Effect.succeed(rows[Symbol.iterator]()),
          onFailure: Option.match({ onNone: () => Effect.succeed(undefined), onSome: (error) => Effect.fail(error) })
        })
    )
    return user === undefined ? found : user.as(running, found)
  }

  const nextPage = (context: AsyncContext): Promise<Iterator<Row> | undefined> =>
    host.promiseOn(
      () => open?.running ?? host.started,
      (running, settle) => {
        const pulling = outside(() => running.fork(Effect.locally(pulled(running), caller, context)))
        fiber = pulling
        pulling.addObserver((exit) => settle(isOver ? Exit.succeed(undefined) : exit))
      }
    )

  const close = async (): Promise<void> => {
    isOver = true
    page = undefined
    const { running, scope } = open ?? {}
    const pulling = fiber
    fiber = undefined
    open = undefined
    if (pulling !== undefined) outside(() => pulling.unsafeInterruptAsFork(pulling.id()))
    if (running !== undefined && scope !== undefined) {
      await host.promiseOn(
        () => running,
        (_, settle) => outside(() => running.fork(Scope.close(scope, Exit.void))).addObserver(settle)
      )
    }
  }

  const row = async (context: AsyncContext): Promise<IteratorResult<Row, undefined>> => {
    while (!isOver) {
      const found = page?.next()
      if (found !== undefined && found.done !== true) return { done: false, value: found.value }
      page = await nextPage(context)
      if (page === undefined) await close()
    }
    return done
  }

  const rows: RowStream<Row> = {
    next: () => {
      const found = waiting === 0 ? page?.next() : undefined
      if (found !== undefined && found.done !== true) return Promise.resolve({ done: false, value: found.value })
      waiting += 1
      const context = new AsyncContext()
      const answer = before.then(() =>
        row(context).catch(async (error: unknown) => {
          await close()
          throw error
        })
      )
      const told = (): void => {
        waiting -= 1
      }
      before = answer.then(told, told)
      return answer
    },
    return: async () => {
      await close()
      return done
    },
    throw: async (error) => {
      await close()
      throw error
    },
    [Symbol.asyncIterator]: () => rows
  }
  return rows
}
