/** An operation of a caller without a fiber: none is made where nobody has to wait and nothing is repeated. */
import { Effect, Exit } from "effect"
import type { DbError } from "../../Errors.js"
import { unsendableToken } from "../connection/supabaseClient.js"
import { sendable } from "./clientFor.js"
import { type Ask, type Body, Operation, type RunOptions, runOperation } from "./operation.js"
import type { OperationContext } from "./operationContext.js"
import { TokenSource } from "./tokenSource.js"

/**
 * As `runOperation` for a caller without a fiber: `settle` is told at once where nobody had to wait and nothing is repeated;
 * what takes longer is given to `fork`.
 */
export const callOperation = <A, E>(
  context: OperationContext,
  ask: Ask<A, E>,
  options: Omit<RunOptions, "as"> & {
    /** It is to have a fiber in any case, since it has a span. */
    readonly forks?: boolean
  },
  fork: (effect: Effect.Effect<A, E | DbError>) => void,
  settle: (exit: Exit.Exit<A, E | DbError>) => void
): void => {
  const body: Body<A, E | DbError, never> = (client, connection, token) =>
    Effect.withFiberRuntime<A, E | DbError>((fiber) =>
      Effect.async((resume) => {
        connection.onTaken = (error) => resume(Effect.fail(error))
        ask(client, connection, resume, token, fiber)
      })
    )
  const left = (rest: Effect.Effect<A, E | DbError>): void =>
    isDone(rest) ? settle(rest) : fork(Effect.uninterruptible(rest))
  const later = (): void => fork(runOperation(context, body, options))
  if (context.admit !== undefined || options.forks === true) {
    later()
    return
  }
  const operation = new Operation(context, body, options, undefined, Effect.interruptible)
  const { token } = options
  if (token instanceof TokenSource) nowAsAsked(operation, ask, token, left, later)
  else if ((token !== undefined && unsendableToken(token)) || !operation.now(ask, token, left)) later()
}

/** A function is asked for the token where nobody has to wait for a connection: who waits asks when its turn has come. */
const nowAsAsked = <A, E>(
  operation: Operation<A, E | DbError, never>,
  ask: Ask<A, E>,
  source: TokenSource,
  left: (rest: Effect.Effect<A, E | DbError>) => void,
  later: () => void
): void => {
  if (!operation.isFree) {
    later()
    return
  }
  operation.asksForToken = true
  source.soon(operation.context.tokenDeadlines, (given) => {
    const token = Exit.isSuccess(given) ? sendable(given.value) : given
    if (Exit.isFailure(token)) left(operation.refused(token.cause))
    else if (!operation.now(ask, token.value, left)) later()
  })
}

/** Nothing is left to do. */
const isDone = <A, E>(rest: Effect.Effect<A, E>): rest is Exit.Exit<A, E> => Exit.isExit(rest)
