/** As Effect's `Types.Covariant`, for types that the Promise entry has too, which know nothing of Effect. */
export type Covariant<A> = (never: never) => A
