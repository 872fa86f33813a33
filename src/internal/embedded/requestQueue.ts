import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Engine } from "./engine.js"

export type RequestHandler = (request: Request) => Promise<Response>

/** Tells whether the caller has gone. A request's own signal does not: it is made when it is first looked at. */
type Gone = () => boolean

export type Gate = (request: Request, gone: Gone) => Promise<Response>

interface Job {
  readonly request: Request
  readonly gone: Gone
  readonly done: (response: Response) => void
}

const failed = (): Response =>
  Response.json({ code: "XX000", message: "The embedded database failed.", details: null, hint: null }, { status: 500 })

/** What is answered to nobody: its caller has gone. */
const abandoned = (): Response => new Response(null, { status: 499 })

/** A caller that stalls in the middle of a body must not hold everyone's turn, so a body is read before it queues. */
const received = async (request: Request): Promise<Request> =>
  new Request(request.url, {
    method: request.method,
    headers: request.headers,
    body: await request.arrayBuffer()
  })

/**
 * Lets Node hear of callers that have gone while PostgreSQL held the thread: a turn of the loop each to accept the socket,
 * to read the request, to read the end that came after it, and to close.
 */
const turnsOfTheLoop: Effect.Effect<void> = Effect.repeatN(
  Effect.async<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  }),
  3
)

/**
 * PGlite answers some statements that lite writes with a protocol violation, and lite's transaction stays open: every
 * later request, whosever it is, would be refused with 25P02. Without a transaction `rollback` does nothing. The violation
 * may be answered once more, to whatever comes next, and it must not be a caller's request.
 */
const rolledBack = (engine: Pick<Engine, "run" | "ask">, response: Response): Effect.Effect<void> =>
  response.status < 400
    ? Effect.void
    : Effect.tryPromise(() => engine.run("rollback")).pipe(
        Effect.zipRight(Effect.tryPromise(() => engine.ask("select"))),
        Effect.retry({ times: 2 }),
        Effect.ignore
      )

const serve = (answer: RequestHandler, engine: Pick<Engine, "run" | "ask">, job: Job): Effect.Effect<void> =>
  Effect.suspend(() =>
    // Nobody reads the answer to a request whose caller has gone: what still waits for its turn is never executed.
    job.gone()
      ? Effect.sync(() => job.done(abandoned()))
      : Effect.tryPromise(() => answer(job.request)).pipe(
          Effect.orElseSucceed(failed),
          Effect.tap((response) => rolledBack(engine, response)),
          Effect.map(job.done),
          // Leaving in the middle would leave an open transaction behind, on the only session there is.
          Effect.uninterruptible
        )
  )

/**
 * One request at a time, in the order of arrival.
 *
 * PGlite has a single session, and lite wraps each request in `BEGIN`, `SET ROLE` … `COMMIT` on it without a lock. Two
 * requests at once run inside each other's transaction: measured with lite 0.10.0, 100 of 100 anonymous requests that
 * overlapped one with the service key saw what row level security hides from them.
 */
export const makeGate = (
  answer: RequestHandler,
  engine: Pick<Engine, "run" | "ask">
): Effect.Effect<Gate, never, Scope.Scope> =>
  Effect.gen(function* () {
    const jobs = yield* Queue.unbounded<Job>()
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.flatMap(Queue.take(jobs), (job) => Effect.zipRight(turnsOfTheLoop, serve(answer, engine, job)))
      )
    )
    const queued = (request: Request, gone: Gone): Promise<Response> =>
      new Promise((done) => Queue.unsafeOffer(jobs, { request, gone, done }))
    return (request, gone) =>
      request.method === "GET" || request.method === "HEAD"
        ? queued(request, gone)
        : received(request).then((whole) => queued(whole, gone), abandoned)
  })

/** All at once, for a PostgreSQL with sessions enough: each request has one to itself. */
export const openGate =
  (answer: RequestHandler): Gate =>
  (request) =>
    answer(request).catch(failed)
