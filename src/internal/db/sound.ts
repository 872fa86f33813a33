/** Whether a query names only what the schema has. */
import type { DataIn, DataOf } from "./answered.js"

// What supabase-js gives for a column, table or function that the schema lacks is a text with a mark.
type Mistaken = string & { readonly error: true }

/** JSON and text hold no rows of other tables, and may be without end: what text is a part of is passed over first. */
type FlawOf<T, Depth extends ReadonlyArray<0>> = string extends T
  ? never
  : Depth["length"] extends 4
    ? never
    : T extends Mistaken
      ? T
      : T extends ReadonlyArray<infer A>
        ? FlawOf<A, [...Depth, 0]>
        : T extends object
          ? { [K in keyof T]: FlawOf<T[K], [...Depth, 0]> }[keyof T]
          : never

/**
 * The same for what is no null, in fewer steps: of most rows the names and the union of the columns' types say that there is
 * nothing to look for. Text has a key `charAt`, as has what may have any; all of that is looked at step by step.
 */
type QuickFlawOf<T> = T extends unknown
  ? "charAt" extends keyof T
    ? FlawOf<T, []>
    : number extends keyof T
      ? FlawOfRow<T[number & keyof T], [0]>
      : FlawOfRow<T, []>
  : never

type FlawOfRow<T, Depth extends ReadonlyArray<0>> = T extends unknown
  ? "charAt" extends keyof T
    ? FlawOf<T, Depth>
    : FlawOfColumns<T[keyof T], T, Depth>
  : never

/** Where a column is anything, the union of them says nothing of the others. */
type FlawOfColumns<C, T, Depth extends ReadonlyArray<0>> = unknown extends C
  ? FlawOf<T, Depth>
  : C extends object | Mistaken
    ? FlawOf<C, [...Depth, 0]>
    : never

type FlawIn<Data> = QuickFlawOf<Data & {}>

type SoundData<Data> = [FlawIn<Data>] extends [never] ? unknown : { readonly mistake: FlawIn<Data> }

/** Nothing to add to a response whose rows have only what the schema has; else what no response is, with the reason in it. */
export type SoundAnswer<A> = SoundData<DataIn<A>>

/**
 * Nothing to add where a query names only what the schema has; else what no builder is, with the reason in it.
 *
 * @since 0.1.0
 * @category models
 */
export type Sound<Q> = SoundData<DataOf<Q>>

type SoundResult<Data> = [FlawIn<Data>] extends [never] ? unknown : (client: never) => SoundData<Data>

/** The same for a function that gives a query. */
export type SoundStep<S> = S extends (client: never) => PromiseLike<infer A> ? SoundResult<DataIn<A>> : unknown
