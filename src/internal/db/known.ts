/** What is known of the rows of a database that nobody has described: that they are there, and not what is in them. */

/** Whether there is an `any` in it; of functions, and so of what has methods, it is not asked. */
type AnyIn<T, Depth extends ReadonlyArray<0> = []> = 0 extends 1 & T
  ? true
  : Depth["length"] extends 8
    ? never
    : T extends (...args: never) => unknown
      ? never
      : T extends ReadonlyArray<infer A>
        ? AnyIn<A, [...Depth, 0]>
        : T extends object
          ? { [K in keyof T]-?: AnyIn<T[K], [...Depth, 0]> }[keyof T]
          : never

/**
 * The type without `any`: a column that supabase-js knows nothing of is `unknown`, so that whoever uses it says what it is.
 * What is said already (by `overrideTypes`, say) stays as it is. Of rows of `select("*")` not even the columns are known.
 *
 * @since 0.1.0
 * @category models
 */
export type Known<T, Depth extends ReadonlyArray<0> = []> = 0 extends 1 & T
  ? unknown
  : [AnyIn<T, Depth>] extends [never]
    ? T
    : T extends Array<infer A>
      ? 0 extends 1 & A
        ? Array<Record<string, unknown>>
        : Array<Known<A, [...Depth, 0]>>
      : T extends object
        ? { [K in keyof T]: Known<T[K], [...Depth, 0]> }
        : T
