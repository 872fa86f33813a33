/** What the types of the Promise API are made of, with a schema of the database's and without. */
import type { SupabaseClient } from "@supabase/supabase-js"
import type { Client, Untyped } from "../db/access.js"
import type { DataIn, DataOf } from "../db/answered.js"
import type { Known } from "../db/known.js"
import type { Step } from "../transaction/planned.js"

export type { Known } from "../db/known.js"

/**
 * What comes back, as far as it is known of a database with the schema `D`.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer<D, A> = [D] extends [Untyped] ? Known<A> : A

/** As much of a client as tells it from anything else, whatever its schema. */
export type AnyClient = Pick<SupabaseClient, "auth" | "functions" | "storage">

/** The client that a caller's function is given: of the schema `D`, or without one of that which the function asks for. */
export type ClientOf<D, C> = [D] extends [Untyped] ? C : Client<D>

type TablesOf<D> = D extends { readonly public: { readonly Tables: infer T; readonly Views: infer V } } ? T & V : never

type EntryOf<D, Name> = Name extends keyof TablesOf<D> ? TablesOf<D>[Name] : never

/** A row of the table, as the schema of the database has it. */
export type RowOf<D, Name> = [D] extends [Untyped]
  ? Record<string, unknown>
  : EntryOf<D, Name> extends { readonly Row: infer R }
    ? R
    : never

export type InsertOf<D, Name> = EntryOf<D, Name> extends { readonly Insert: infer I } ? I : never

export type UpdateOf<D, Name> = EntryOf<D, Name> extends { readonly Update: infer U } ? U : never

/**
 * One row of what the builder selects.
 *
 * @since 0.1.0
 * @category models
 */
export type RowOfQuery<Q> = DataOf<Q> extends ReadonlyArray<infer A> ? A : never

/**
 * What each step of a transaction gives: a table's its decoded rows, a builder its `data`.
 *
 * @since 0.1.0
 * @category models
 */
export type StepResults<D, Steps extends ReadonlyArray<unknown>> = {
  readonly [K in keyof Steps]: Steps[K] extends Step<infer A>
    ? A
    : Answer<D, Steps[K] extends (client: never) => PromiseLike<infer A> ? DataIn<A> : never>
}
