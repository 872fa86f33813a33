/**
 * What an answer has in it, as types.
 *
 * `A extends { … infer … }` has the compiler make the type of the rows anew, twice, and compare what it made. So what is
 * known to be a response is asked for its fields, which makes nothing.
 */

/** Those of the responses that are none of a failure. */
export type Succeeded<A> = A extends unknown ? (A["error" & keyof A] extends null ? A : never) : never

type DataPart<A> = A["data" & keyof A]

/** The rows of a response. */
export type DataIn<A> = DataPart<Succeeded<A>>

/** What a builder resolves to where there was no error. */
export type Successful<Q> = Q extends PromiseLike<infer A> ? Succeeded<A> : never

/** The rows that a builder gives where there was no error. */
export type DataOf<Q> = DataPart<Successful<Q>>
