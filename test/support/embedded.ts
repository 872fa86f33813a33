/**
 * The database that all tests of a run share (see `globalEmbedded.ts`): the marketplace, and the functions and the
 * `notes` of `sql/`. Test files run at the same time, so a test writes only rows it made itself, under ids and names of
 * its own; who counts all rows of a table counts those of the data set by their ids.
 */
import { createClient, type SupabaseClient } from "@supabase/supabase-js"
import { Effect, Layer, Redacted, Schema } from "effect"
import { inject } from "vitest"
import { SupabaseConfig } from "../../src/Config.js"
import { type ConnectionCounts, signAccessToken } from "../../src/embedded.js"
import { NoRealtime } from "../../src/internal/connection/supabaseClient.js"

export interface SharedEmbedded {
  readonly url: string
  readonly anonKey: string
  readonly serviceRoleKey: string
  readonly jwtSecret: string
  readonly countsUrl: string
}

declare module "vitest" {
  interface ProvidedContext {
    readonly embedded: SharedEmbedded
  }
}

export const embedded: SharedEmbedded = inject("embedded")

/** `SupabaseConfig` of the shared database. */
export const SharedSupabase: Layer.Layer<SupabaseConfig> = Layer.succeed(SupabaseConfig, {
  url: embedded.url,
  anonKey: Redacted.make(embedded.anonKey),
  serviceRoleKey: Redacted.make(embedded.serviceRoleKey)
})

/** An access token of that user, whether or not there is a row for them. */
export const userToken = (userId: string): string => signAccessToken({ jwtSecret: embedded.jwtSecret, userId })

const row =
  (table: number) =>
  (n: number): string =>
    `${table}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** Ids of the data set, numbered from 1. Users: 1 is the admin, 2 to 11 sell (n + 1 owns shop n), 12 to 50 buy. */
export const ids = { user: row(1), shop: row(2), product: row(3), order: row(4) } as const

const client = (key: string, token: string): SupabaseClient =>
  createClient(embedded.url, key, {
    accessToken: () => Promise.resolve(token),
    realtime: { transport: NoRealtime }
  })

/** Stock supabase-js clients of the shared database, one per kind of caller. */
export const as = {
  anon: (): SupabaseClient => client(embedded.anonKey, embedded.anonKey),
  service: (): SupabaseClient => client(embedded.serviceRoleKey, embedded.serviceRoleKey),
  user: (userId: string): SupabaseClient => client(embedded.anonKey, userToken(userId))
} as const

const Counts = Schema.Struct({
  open: Schema.Int,
  peak: Schema.Int,
  opened: Schema.Int,
  requests: Schema.Int,
  aborted: Schema.Int,
  outward: Schema.Array(Schema.String)
})

export interface SharedCounts extends ConnectionCounts {
  /** Connections and name lookups that the database's process attempted itself. */
  readonly outward: ReadonlyArray<string>
}

/** What the shared server counts of its own sockets. Other test files' sockets are among them. */
export const counts: Effect.Effect<SharedCounts> = Effect.tryPromise(() => fetch(embedded.countsUrl)).pipe(
  Effect.flatMap((response) => Effect.tryPromise(() => response.json())),
  Effect.flatMap(Schema.decodeUnknown(Counts)),
  Effect.orDie
)
