/**
 * A Supabase in this process, for development, tests and a first run.
 *
 * Real PostgreSQL (PGlite) behind `@supabase/lite`'s PostgREST-compatible API, with API keys, roles and row level
 * security, on a free port of loopback. It reaches no network and sends no telemetry. By default it applies this project's
 * migrations and loads the marketplace that `npm start` shows.
 *
 * Note: it has one PostgreSQL session, so requests take turns. Use it to try out and test what a pool does, never to measure
 * a database's speed; with the option `postgres` it runs on a PostgreSQL server, where requests run at the same time. It
 * needs the optional packages `@supabase/lite` and `@hono/node-server`, and for a server `postgres`.
 *
 * @since 0.1.0
 */
import { fileURLToPath } from "node:url"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SupabaseConfig } from "./Config.js"
import { prepareDatabase } from "./internal/embedded/database.js"
import type { Engine } from "./internal/embedded/engine.js"
import { type Packages, packages } from "./internal/embedded/packages.js"
import { pglite } from "./internal/embedded/pglite.js"
import { postgres } from "./internal/embedded/postgres.js"
import { makeGate, openGate } from "./internal/embedded/requestQueue.js"
import { listen, type ServerCounts } from "./internal/embedded/server.js"
import { quietConsole } from "./internal/embedded/silenceLite.js"
import { migrationsFrom, seedFrom } from "./internal/embedded/sources.js"
import { EmbeddedStartFailed } from "./internal/embedded/startFailed.js"
import { randomSecret, signed } from "./internal/embedded/token.js"
import { makeRest } from "./internal/postgrest/rest.js"
import { packageUrl } from "./internal/shared/packageUrl.js"

export { EmbeddedStartFailed }

// -------------------------------------------------------------------------------------
// models
// -------------------------------------------------------------------------------------

/**
 * The server's count of its own sockets: `open` now, `peak` at once, `opened` in total; `requests` that arrived, and
 * `aborted` ones, whose caller hung up before the answer.
 *
 * @since 0.1.0
 * @category models
 */
export type ConnectionCounts = ServerCounts

/**
 * How to start an embedded database; everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbeddedOptions {
  /**
   * A directory of `.sql` files, applied in the order of their names, or SQL texts, applied as listed. Each runs in a
   * transaction of its own. Default: this project's own migrations (`migrationsDirectory`).
   */
  readonly migrations?: string | ReadonlyArray<string> | undefined
  /**
   * What to load after the migrations: SQL text, the path of a `.sql` file, or `false` for nothing. Default: the
   * marketplace data set (`seedFile`) with the project's own migrations, nothing with others.
   */
  readonly seed?: string | false | undefined
  /**
   * Runs on a PostgreSQL server instead: the connection string of a superuser. The data go to a separate database, which is
   * created for this and dropped at the end; the roles `anon`, `authenticated` and `service_role` stay. Needs the package
   * `postgres`. Default: PostgreSQL in this process.
   */
  readonly postgres?: string | Redacted.Redacted | undefined
  /** With `postgres`, how many sessions requests share, as PostgREST's `db-pool`. Default: 10, as there. */
  readonly postgresConnections?: number | undefined
  /** Port to listen on; 0, the default, takes any free one. */
  readonly port?: number | undefined
  /** Which loopback address to listen on; there is no way to listen on others. Default: `127.0.0.1`. */
  readonly host?: "127.0.0.1" | "::1" | "localhost" | undefined
  /** Known keys, so that clients outlive a restart of the database. Default: random ones, new with each start. */
  readonly keys?: { readonly anonKey: Redacted.Redacted; readonly serviceRoleKey: Redacted.Redacted } | undefined
  /** How long an idle socket is kept; told to clients in the `Keep-Alive` header. Default: 60 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** How long stopping waits for requests in progress before it closes their sockets. Default: 250 milliseconds. */
  readonly stopGrace?: Duration.DurationInput | undefined
}

/**
 * A running embedded database.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbeddedDatabase {
  readonly url: string
  readonly anonKey: Redacted.Redacted
  readonly serviceRoleKey: Redacted.Redacted
  /** Signs access tokens; new with each start. */
  readonly jwtSecret: Redacted.Redacted
  readonly counts: Effect.Effect<ConnectionCounts>
  /** An access token with which row level security sees that user. It lasts as long as the database does. */
  readonly userToken: (userId: string) => Redacted.Redacted
}

/**
 * A running embedded database for code that does not use Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunningEmbedded {
  readonly url: string
  readonly anonKey: string
  readonly serviceRoleKey: string
  /** Signs access tokens; new with each start. */
  readonly jwtSecret: string
  /** Sockets that clients hold open now, counted by the server. */
  readonly connections: number
  /** The most sockets that were ever open at once. */
  readonly peakConnections: number
  /** All that the server counted. */
  readonly counts: () => ConnectionCounts
  /** An access token with which row level security sees that user. It lasts as long as the database does. */
  readonly userToken: (userId: string) => string
  /** Closes every socket and the database. Calling it again waits for the same end. */
  readonly stop: () => Promise<void>
}

/**
 * The user of an access token.
 *
 * @since 0.1.0
 * @category models
 */
export interface AccessTokenOptions {
  /** The `jwtSecret` of the database that has to accept it. */
  readonly jwtSecret: string
  /** The result of `auth.uid()`. */
  readonly userId: string
  /** The result of `auth.role()`. Default: `authenticated`. */
  readonly role?: string | undefined
  /** When it stops being accepted. Default: the year 2100, as the secret does not outlive the process. */
  readonly expiresAt?: Date | undefined
  /** Further claims, as `auth.jwt()` shows them. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

// -------------------------------------------------------------------------------------
// constructors
// -------------------------------------------------------------------------------------

/**
 * Where this project's own migrations are, for `migrations` and for tools that copy them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const migrationsDirectory: string = fileURLToPath(packageUrl("supabase/migrations"))

/**
 * Where the marketplace data set is, for `seed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const seedFile: string = fileURLToPath(packageUrl("supabase/seed.sql"))

const endOfCentury = 4_102_444_800

/**
 * An access token as Supabase Auth would issue it to that user.
 *
 * @example
 * import { signAccessToken } from "effect-supabase-pool/embedded"
 *
 * export const token = signAccessToken({
 *   jwtSecret: "the embedded database's own",
 *   userId: "10000000-0000-4000-8000-000000000012"
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export const signAccessToken = (options: AccessTokenOptions): string =>
  signed(options.jwtSecret, {
    aud: "authenticated",
    ...options.claims,
    sub: options.userId,
    role: options.role ?? "authenticated",
    exp: options.expiresAt === undefined ? endOfCentury : Math.floor(options.expiresAt.getTime() / 1000)
  })

const originOf = (host: string, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`

const rootPath = /\/rest\/v1\/?$/

/** PostgREST answers HEAD on its root like GET, and the pool pings connections that way; lite only answers GET there. */
const withRootHead =
  (answer: (request: Request) => Promise<Response>) =>
  async (request: Request): Promise<Response> => {
    if (request.method !== "HEAD" || !rootPath.test(new URL(request.url).pathname)) return answer(request)
    const { status, headers } = await answer(new Request(request.url, { headers: request.headers }))
    return new Response(null, { status, headers })
  }

const engineOf = (
  lite: Packages,
  { postgres: url, postgresConnections }: EmbeddedOptions
): Effect.Effect<Engine, EmbeddedStartFailed, Scope.Scope> =>
  url === undefined
    ? pglite(lite)
    : postgres({
        url: Redacted.isRedacted(url) ? url : Redacted.make(url),
        connections: postgresConnections ?? 10
      })

const start = (options: EmbeddedOptions): Effect.Effect<EmbeddedDatabase, EmbeddedStartFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const lite = yield* packages
    const migrations = yield* migrationsFrom(options.migrations ?? migrationsDirectory)
    const seed = yield* seedFrom(options.seed ?? (options.migrations === undefined ? seedFile : false))
    yield* quietConsole
    const engine = yield* engineOf(lite, options)
    yield* prepareDatabase(lite, engine, migrations, seed)
    const keys = {
      anonKey: options.keys?.anonKey ?? Redacted.make(`sb_publishable_${randomSecret()}`),
      serviceRoleKey: options.keys?.serviceRoleKey ?? Redacted.make(`sb_secret_${randomSecret()}`),
      jwtSecret: randomSecret()
    }
    const app = new lite.App({
      connection: engine.connection,
      auth: {
        // Without it lite accepts no access tokens at all.
        enabled: true,
        jwt_secret: keys.jwtSecret,
        publishable_key: Redacted.value(keys.anonKey),
        secret_key: Redacted.value(keys.serviceRoleKey)
      },
      storage: { enabled: false },
      options: { server: { disableStudio: true, disableFallback: true, admin: false } }
    })
    yield* Effect.tryPromise({
      try: () => app.init(),
      catch: (cause) => new EmbeddedStartFailed({ stage: "database", reason: "the API did not come up", cause })
    })
    const rest = makeRest(engine, {
      anonKey: Redacted.value(keys.anonKey),
      serviceRoleKey: Redacted.value(keys.serviceRoleKey),
      jwtSecret: keys.jwtSecret
    })
    const answer = withRootHead(async (request) => (await Effect.runPromise(rest(request))) ?? app.fetch(request))
    const gate = options.postgres === undefined ? yield* makeGate(answer, engine) : openGate(answer)
    const host = options.host ?? "127.0.0.1"
    const server = yield* listen(lite, gate, {
      host,
      port: options.port ?? 0,
      keepAliveTimeout: Duration.decode(options.keepAliveTimeout ?? "60 seconds"),
      stopGrace: Duration.decode(options.stopGrace ?? "250 millis")
    })
    return {
      url: originOf(host, server.port),
      anonKey: keys.anonKey,
      serviceRoleKey: keys.serviceRoleKey,
      jwtSecret: Redacted.make(keys.jwtSecret),
      counts: Effect.sync(server.counts),
      userToken: (userId: string) => Redacted.make(signAccessToken({ jwtSecret: keys.jwtSecret, userId }))
    }
  }).pipe(Effect.withSpan("embedded.start"))

const realTime = Clock.make()

const make = (options: EmbeddedOptions = {}): Effect.Effect<EmbeddedDatabase, EmbeddedStartFailed, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.make()
      const close = (exit: Exit.Exit<unknown, unknown>) => Effect.withClock(Scope.close(own, exit), realTime)
      const database = yield* restore(start(options)).pipe(
        Scope.extend(own),
        Effect.withClock(realTime),
        // The caller's scope may stay open long after a failed start, so everything that was opened is closed at once.
        Effect.onError((cause) => close(Exit.failCause(cause)))
      )
      yield* Effect.addFinalizer(close)
      return database
    })
  )

/**
 * Starts an embedded database for code that does not use Effect.
 *
 * Rejects with `EmbeddedStartFailed`; everything that was opened is closed by then. The database keeps the process alive
 * until `stop` is called.
 *
 * @example
 * import { createClient } from "@supabase/supabase-js"
 * import { startEmbedded } from "effect-supabase-pool/embedded"
 *
 * export const firstProducts = async () => {
 *   const database = await startEmbedded()
 *   const { data } = await createClient(database.url, database.anonKey).from("products").select("title").limit(3)
 *   await database.stop()
 *   return data
 * }
 *
 * @since 0.1.0
 * @category constructors
 */
export const startEmbedded = async (options: EmbeddedOptions = {}): Promise<RunningEmbedded> => {
  const scope = Effect.runSync(Scope.make())
  const started = await Effect.runPromiseExit(Scope.extend(make(options), scope))
  if (Exit.isFailure(started)) throw Cause.squash(started.cause)
  const database = started.value
  const counts = (): ConnectionCounts => Effect.runSync(database.counts)
  let stopped: Promise<void> | undefined
  return {
    url: database.url,
    anonKey: Redacted.value(database.anonKey),
    serviceRoleKey: Redacted.value(database.serviceRoleKey),
    jwtSecret: Redacted.value(database.jwtSecret),
    get connections() {
      return counts().open
    },
    get peakConnections() {
      return counts().peak
    },
    counts,
    userToken: (userId) => Redacted.value(database.userToken(userId)),
    stop: () => {
      stopped ??= Effect.runPromise(Scope.close(scope, Exit.void))
      return stopped
    }
  }
}

// -------------------------------------------------------------------------------------
// tags
// -------------------------------------------------------------------------------------

/**
 * The running embedded database itself, beside the `SupabaseConfig` made from it: for tokens and for counting sockets.
 *
 * @since 0.1.0
 * @category tags
 */
export class EmbeddedSupabase extends Context.Tag("effect-supabase-pool/EmbeddedSupabase")<
  EmbeddedSupabase,
  EmbeddedDatabase
>() {}

// -------------------------------------------------------------------------------------
// layers
// -------------------------------------------------------------------------------------

const layerOf = (options: EmbeddedOptions = {}): Layer.Layer<SupabaseConfig | EmbeddedSupabase, EmbeddedStartFailed> =>
  Layer.scopedContext(
    Effect.map(make(options), (database) =>
      Context.make(EmbeddedSupabase, database).pipe(
        Context.add(SupabaseConfig, {
          url: database.url,
          anonKey: database.anonKey,
          serviceRoleKey: database.serviceRoleKey
        })
      )
    )
  )

/**
 * Embedded databases for Effect code.
 *
 * @example
 * import { Effect } from "effect"
 * import { Config } from "effect-supabase-pool"
 * import { Embedded } from "effect-supabase-pool/embedded"
 *
 * export const program = Effect.map(Config.SupabaseConfig, ({ url }) => url).pipe(Effect.provide(Embedded.layer))
 *
 * @since 0.1.0
 * @category layers
 */
export const Embedded: {
  /**
   * Starts one that lives as long as the scope: some four seconds of CPU, and up to 900 MB (measured: Node 20, x64).
   *
   * Fails with `EmbeddedStartFailed` when a package is missing, a path cannot be read, PostgreSQL refuses a migration or
   * the seed, or the port is taken. After a failure or an interruption nothing is left open. Its delays are of real
   * sockets and so take real time, also under a `TestClock`.
   */
  readonly make: (options?: EmbeddedOptions) => Effect.Effect<EmbeddedDatabase, EmbeddedStartFailed, Scope.Scope>
  /** Provides `SupabaseConfig` from one that holds the marketplace. */
  readonly layer: Layer.Layer<SupabaseConfig | EmbeddedSupabase, EmbeddedStartFailed>
  /** The same, started with these options. */
  readonly layerOf: (options?: EmbeddedOptions) => Layer.Layer<SupabaseConfig | EmbeddedSupabase, EmbeddedStartFailed>
} = { make, layer: layerOf(), layerOf }
