/**
 * Whether the server is away although somebody answers for it: a proxy without its PostgREST (502), a PostgREST without
 * its database (PGRST000). That nobody can be connected to, the circuit knows.
 *
 * Who tries again while it is away needs not guess when: other operations go on asking, and their first success says that
 * it is back.
 */
import { Duration } from "effect"
import type { DbError, QueryError } from "../../Errors.js"
import { gaveUp } from "../errors/errorCodes.js"
import { Signal } from "../shared/signal.js"

/** So many such answers and no other between them: a server of which a part is bad has some that are good. */
const inARow = 10

/** There, and short of connections to the database: it asks for less. */
const isFull = ({ code }: QueryError): boolean => code === "PGRST003" || code === "53300"

/** `Retry-After: 0`, as PostgREST says it while its database is away, is no advice. */
const saysWhen = ({ retryAfter = Duration.zero }: QueryError): boolean => Duration.greaterThan(retryAfter, 0)

/** Nobody was there to do it. Who says when to come back is obeyed. */
export const isAway = (error: DbError): boolean =>
  error._tag === "QueryError" && error.isTransient && gaveUp(error.status) && !isFull(error) && !saysWhen(error)

/** From where the work is done. */
const isAnswer = (error: DbError): boolean =>
  error._tag === "QueryError" && error.status > 0 && !error.isTransient && error.answeredBy !== "gateway"

export class Absence {
  private met = 0
  /** Done when the server is known to be back after it was known to be away. */
  readonly end: Signal = new Signal()

  get isKnown(): boolean {
    return this.met >= inARow
  }

  /** An attempt was answered by who does the work. */
  answered(): void {
    if (this.met === 0) return
    const wasAway = this.isKnown
    this.met = 0
    if (wasAway) this.end.tell()
  }

  /** How an attempt failed: with an answer from where the work is done, or from who has nobody to do it. */
  failed(error: DbError): void {
    if (isAway(error)) this.met += 1
    else if (isAnswer(error)) this.answered()
  }
}
