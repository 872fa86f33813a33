/** How one operation is tried again, where it is to be otherwise than the pools' options say. */
import type { Duration, Schedule } from "effect"
import type { DbError, QueryError } from "../../Errors.js"
import * as Retry from "../../Retry.js"
import { invalidRequest } from "../errors/invalidRequest.js"

/**
 * As `Effect.retry` takes them. They never make a retry of what could be executed twice.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions {
  /** Attempts after the first. Default: `DB_POOL_MAX_RETRIES`, or as many as `schedule` gives. */
  readonly times?: number | undefined
  /** The delays; a server's `Retry-After` is waited for all the same. */
  readonly schedule?: Schedule.Schedule<unknown, DbError> | undefined
  /** Goes on only while this holds. */
  readonly while?: ((error: DbError) => boolean) | undefined
}

/** What an operation goes by. */
export interface Retrying {
  readonly maxRetries: number
  readonly schedule: Schedule.Schedule<Duration.Duration, DbError>
  readonly while: ((error: DbError) => boolean) | undefined
}

/** Those of an operation, over those of its database. */
export const retrying = (own: RetryOptions | false | undefined, usual: Retrying, delays: Retry.Delays): Retrying => {
  if (own === undefined) return usual
  if (own === false) return { ...usual, maxRetries: 0 }
  const { schedule, times, while: goesOn } = own
  const maxRetries = times ?? (schedule === undefined ? usual.maxRetries : Number.POSITIVE_INFINITY)
  return {
    maxRetries,
    schedule: schedule === undefined ? Retry.schedule({ ...delays, maxRetries }) : Retry.obeying(schedule, delays),
    while: goesOn
  }
}

export const mistaken = (own: RetryOptions | false | undefined): QueryError | undefined => {
  const times = own === undefined || own === false ? undefined : own.times
  return times === undefined || (Number.isSafeInteger(times) && times >= 0)
    ? undefined
    : invalidRequest(`retry.times is ${String(times)}`, "Give a whole number from 0, or retry: false.")
}
