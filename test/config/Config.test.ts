import { describe, expect, it } from "@effect/vitest"
import {
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Either,
  FastCheck,
  HashSet,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted
} from "effect"
import * as Config from "../../src/Config.js"

type Environment = Readonly<Record<string, string>>

const provider = (environment: Environment) => ConfigProvider.fromMap(new Map(Object.entries(environment)))

const load = (environment: Environment) => Effect.withConfigProvider(Config.load, provider(environment))

const loadPool = (environment: Environment) => Effect.map(load(environment), ({ pool }) => pool)

const mistakes = (environment: Environment) =>
  Effect.matchEffect(load(environment), {
    onFailure: (error) => Effect.succeed(error.mistakes),
    onSuccess: () => Effect.die(new Error("no mistake was found"))
  })

const built = <A, E>(layer: Layer.Layer<A, E>, environment: Environment = {}) =>
  Effect.scoped(Layer.build(Layer.provide(layer, Layer.setConfigProvider(provider(environment)))))

const jwt = (role: string) => `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify({ role })).toString("base64url")}.c2ln`

const access = {
  SUPABASE_URL: "https://abcdefgh.supabase.co",
  SUPABASE_ANON_KEY: jwt("anon"),
  SUPABASE_SERVICE_ROLE_KEY: jwt("service_role")
}

const values = { url: "http://127.0.0.1:54321", anonKey: "anon", serviceRoleKey: "service" }

describe("the contract's table", () => {
  const rows: ReadonlyArray<readonly [name: string, option: keyof Config.PoolOptions, shown: string]> = [
    ["DB_POOL_MIN_CONNECTIONS", "minConnections", "5"],
    ["DB_POOL_MAX_CONNECTIONS", "maxConnections", "20"],
    ["DB_POOL_CONNECTION_TIMEOUT", "connectionTimeout", "30000 ms"],
    ["DB_POOL_IDLE_TIMEOUT", "idleTimeout", "300000 ms"],
    ["DB_POOL_MAX_RETRIES", "maxRetries", "3"],
    ["DB_POOL_RETRY_DELAY", "retryDelay", "1000 ms"],
    ["DB_POOL_RETRY_JITTER", "retryJitter", "true"],
    ["DB_POOL_REQUEST_TIMEOUT", "requestTimeout", "30000 ms"],
    ["DB_POOL_HEALTH_CHECK_INTERVAL", "healthCheckInterval", "30000 ms"],
    ["DB_POOL_LEAK_DETECTION_TIMEOUT", "leakDetectionTimeout", "60000 ms"],
    ["DB_POOL_MAX_LIFETIME", "maxLifetime", "1800000 ms"],
    ["DB_POOL_KEEPALIVE_INTERVAL", "keepaliveInterval", "25000 ms"],
    ["DB_POOL_MAX_PENDING", "maxPending", "10000"],
    ["DB_POOL_ADAPTIVE", "adaptive", "off"],
    ["DB_POOL_MAX_ANSWER", "maxAnswer", "268435456 bytes"],
    ["DB_POOL_COMPRESSION", "compression", "on"],
    ["DB_POOL_TRANSPORT", "transport", "sockets"],
    ["DB_POOL_PROXY", "proxy", "from HTTPS_PROXY, HTTP_PROXY, NO_PROXY"],
    ["DB_POOL_CA", "ca", "none"],
    ["DB_POOL_CLIENT_CERT", "clientCert", "none"],
    ["DB_POOL_CLIENT_KEY", "clientKey", "none"],
    ["DB_POOL_SHUTDOWN_TIMEOUT", "shutdownTimeout", "10000 ms"],
    ["DB_POOL_ENABLE_METRICS", "enableMetrics", "true"],
    ["DB_POOL_ENABLE_HEALTH_CHECKS", "enableHealthChecks", "true"],
    ["DB_POOL_NOTICE_ROUNDING", "noticeRounding", "false"],
    ["DB_POOL_RATE_LIMIT", "rateLimit", "off"],
    ["DB_POOL_RATE_LIMIT_WINDOW", "rateLimitWindow", "1000 ms"]
  ]

  it("is the table of variables, name by name and default by default", () => {
    expect(
      Config.variables.flatMap(({ default: shown, name, option }) =>
        Option.isSome(option) ? [[name, option.value, Option.getOrThrow(shown)]] : []
      )
    ).toEqual(rows)
    expect(new Set(Config.variables.map(({ name }) => name)).size).toBe(Config.variables.length)
    expect(Config.variables.filter(({ secret }) => secret).map(({ name }) => name)).toEqual([
      "DB_POOL_PROXY",
      "DB_POOL_CLIENT_KEY",
      "DB_POOL_ADMIN_TOKEN",
      "DB_POOL_SLACK_WEBHOOK_URL",
      "SUPABASE_ANON_KEY",
      "SUPABASE_PUBLISHABLE_KEY",
      "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
      "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_DEFAULT_KEY",
      "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_OR_ANON_KEY",
      "NEXT_PUBLIC_SUPABASE_ANON_KEY",
      "SUPABASE_SERVICE_ROLE_KEY",
      "SUPABASE_SECRET_KEY"
    ])
  })

  it.effect("an empty environment is production, the embedded database, and port 3000 of 127.0.0.1", () =>
    Effect.gen(function* () {
      const loaded = yield* load({})
      expect(loaded.pool).toEqual(Config.production)
      expect(loaded.supabase).toEqual(Option.none())
      expect(loaded.server).toEqual({
        port: 3000,
        host: "127.0.0.1",
        allowedHosts: [],
        adminToken: Option.none(),
        slackWebhookUrl: Option.none(),
        logLevel: LogLevel.Info
      })
    })
  )

  // Those that are read from files: test/config/certificates.test.ts.
  it.effect.each(rows.filter(([, , shown]) => shown !== "none"))("%s sets %s", ([name, option, shown]) =>
    Effect.gen(function* () {
      const [text, expected] =
        shown === "true" || shown === "on"
          ? ["off", false]
          : shown === "false" || option === "adaptive"
            ? ["on", true]
            : shown.startsWith("from ")
              ? ["none", "none"]
              : shown === "sockets"
                ? ["fetch", "fetch"]
                : shown === "off"
                  ? ["7", Option.some(7)]
                  : shown.endsWith(" ms")
                    ? ["1234", Duration.millis(1234)]
                    : shown.endsWith(" bytes")
                      ? ["1.5 MB", 1_500_000]
                      : ["8", 8]
      const lowered = option === "maxConnections" ? { minConnections: 4 } : {}
      expect(yield* loadPool({ [name]: text })).toEqual({ ...Config.production, ...lowered, [option]: expected })
    })
  )
})

describe("presets", () => {
  it("development and high load have the guide's values and production's others", () => {
    expect(Config.development).toEqual({
      ...Config.production,
      minConnections: 2,
      maxConnections: 5,
      connectionTimeout: Duration.millis(10_000),
      idleTimeout: Duration.millis(60_000),
      noticeRounding: true
    })
    expect(Config.highLoad).toEqual({
      ...Config.production,
      minConnections: 10,
      maxConnections: 50,
      connectionTimeout: Duration.millis(45_000),
      idleTimeout: Duration.millis(600_000),
      maxRetries: 5,
      retryDelay: Duration.millis(2_000),
      healthCheckInterval: Duration.millis(15_000)
    })
  })

  it("a load has the size that the contract names, and the other values of production or high load", () => {
    expect(Config.optimized("low")).toEqual({ ...Config.production, minConnections: 2, maxConnections: 10 })
    expect(Config.optimized("medium")).toEqual(Config.production)
    expect(Config.optimized("high")).toEqual(Config.highLoad)
    expect(Config.optimized("extreme")).toEqual({ ...Config.highLoad, minConnections: 20, maxConnections: 100 })
  })

  it("each pool has half of the maximum, and the read pool the odd one", () => {
    expect(Config.poolSizes(Config.production)).toEqual({ read: { min: 5, max: 10 }, write: { min: 5, max: 10 } })
    expect(Config.poolSizes(Config.development)).toEqual({ read: { min: 2, max: 3 }, write: { min: 2, max: 2 } })
  })

  it("every preset is a valid input that comes back unchanged", () => {
    for (const preset of [Config.development, Config.production, Config.highLoad, Config.optimized("extreme")]) {
      expect(Config.poolOptions(preset)).toEqual(Either.right(preset))
    }
  })
})

describe("precedence", () => {
  it.effect("NODE_ENV=development takes the development preset, and DB_POOL_LOAD wins over it", () =>
    Effect.gen(function* () {
      expect(yield* loadPool({ NODE_ENV: "development" })).toEqual(Config.development)
      expect(yield* loadPool({ NODE_ENV: "test" })).toEqual(Config.production)
      expect(yield* loadPool({ NODE_ENV: "development", DB_POOL_LOAD: "High" })).toEqual(Config.highLoad)
    })
  )

  const millis = FastCheck.option(FastCheck.integer({ min: 1, max: 2 ** 31 - 1 }), { nil: undefined })
  const base = FastCheck.constantFrom<Environment>({}, { NODE_ENV: "development" }, { DB_POOL_LOAD: "extreme" })
  it.effect.prop(
    "a variable wins over DB_POOL_CONFIG, and that over the preset",
    [base, millis, millis],
    ([base, json, single]) =>
      Effect.gen(function* () {
        const preset = yield* loadPool(base)
        const options = yield* loadPool({
          ...base,
          DB_POOL_CONFIG: JSON.stringify({ idleTimeout: json }),
          ...(single === undefined ? {} : { DB_POOL_IDLE_TIMEOUT: String(single) })
        })
        const expected = single ?? json
        expect(options).toEqual({
          ...preset,
          ...(expected === undefined ? {} : { idleTimeout: Duration.millis(expected) })
        })
      })
  )

  it.effect("an empty variable counts as unset", () =>
    Effect.gen(function* () {
      const blank = Object.fromEntries(Config.variables.map(({ name }) => [name, name.length % 2 === 0 ? "" : "  "]))
      expect(yield* load(blank)).toEqual(yield* load({}))
    })
  )

  it.effect("a maximum lowers a preset's minimum, but never a minimum that was typed", () =>
    Effect.gen(function* () {
      expect(yield* loadPool({ DB_POOL_MAX_CONNECTIONS: "2" })).toMatchObject({ minConnections: 1, maxConnections: 2 })
      expect(yield* loadPool({ DB_POOL_MAX_CONNECTIONS: "9" })).toMatchObject({ minConnections: 4, maxConnections: 9 })
      const [mistake, ...others] = yield* mistakes({ DB_POOL_MAX_CONNECTIONS: "9", DB_POOL_MIN_CONNECTIONS: "5" })
      expect(mistake).toMatchObject({ variable: "DB_POOL_MIN_CONNECTIONS", value: "5" })
      expect(mistake?.remedy).toContain("DB_POOL_MAX_CONNECTIONS is shared by two pools")
      expect(others).toEqual([])
    })
  )

  it.effect("the first name wins, and the browser's names are read where it is missing", () =>
    Effect.gen(function* () {
      const read = (environment: Environment) =>
        Effect.map(built(Config.SupabaseConfig.layer, environment), Context.get(Config.SupabaseConfig))
      const later = {
        NEXT_PUBLIC_SUPABASE_URL: "https://public.example/base//",
        NEXT_PUBLIC_SUPABASE_ANON_KEY: "public",
        SUPABASE_SECRET_KEY: "sb_secret_1"
      }
      const fallback = yield* read(later)
      expect(fallback.url).toBe("https://public.example/base")
      expect(Redacted.value(fallback.anonKey)).toBe("public")
      expect(Redacted.value((yield* read({ ...later, SUPABASE_PUBLISHABLE_KEY: "own" })).anonKey)).toBe("own")
      const first = yield* read({ ...later, ...access })
      expect(first.url).toBe(access.SUPABASE_URL)
      expect(Redacted.value(first.anonKey)).toBe(access.SUPABASE_ANON_KEY)
      expect(Redacted.value(first.serviceRoleKey)).toBe(later.SUPABASE_SECRET_KEY)
    })
  )

  it.effect("a new key is used before a legacy one, under whichever of today's names it is written", () =>
    Effect.gen(function* () {
      const anonKeyIn = (environment: Environment) =>
        Effect.map(built(Config.SupabaseConfig.layer, environment), (context) =>
          Redacted.value(Context.get(context, Config.SupabaseConfig).anonKey)
        )
      const legacy = { ...access, SUPABASE_ANON_KEY: "legacy", NEXT_PUBLIC_SUPABASE_ANON_KEY: "legacy-2" }
      expect(yield* anonKeyIn(legacy)).toBe("legacy")
      for (const name of [
        "SUPABASE_PUBLISHABLE_KEY",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_DEFAULT_KEY",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_OR_ANON_KEY"
      ]) {
        const both = { ...legacy, [name]: "sb_publishable_1" }
        expect(yield* anonKeyIn(both)).toBe("sb_publishable_1")
        const other = { ...both, NEXT_PUBLIC_SUPABASE_URL: "https://another.supabase.co" }
        expect(yield* anonKeyIn(other)).toBe(name.startsWith("NEXT_") ? "legacy" : "sb_publishable_1")
      }
    })
  )
})

describe("layers", () => {
  it.effect("PoolConfig.layerOf lays plain values, the guide's numbers among them, over production", () =>
    Effect.gen(function* () {
      const devConfig = {
        minConnections: 2,
        maxConnections: 5,
        connectionTimeout: 10000,
        idleTimeout: 60000,
        enableMetrics: true,
        enableHealthChecks: true
      }
      const pool = Context.get(yield* built(Config.PoolConfig.layerOf(devConfig)), Config.PoolConfig)
      expect(pool).toEqual({ ...Config.development, noticeRounding: false })
      const limited = Config.PoolConfig.layerOf({ rateLimit: 5, maxRetries: undefined, retryDelay: "2 seconds" })
      expect(Context.get(yield* built(limited), Config.PoolConfig)).toEqual({
        ...Config.production,
        rateLimit: Option.some(5),
        retryDelay: Duration.seconds(2)
      })
    })
  )

  it.effect("SupabaseConfig.layerOf takes texts and Redacted keys, and needs no environment", () =>
    Effect.gen(function* () {
      const layer = Config.SupabaseConfig.layerOf({
        ...values,
        url: "HTTP://LOCALHOST:54321/",
        anonKey: Redacted.make("a")
      })
      const supabase = Context.get(yield* built(layer), Config.SupabaseConfig)
      expect(supabase.url).toBe("http://localhost:54321")
      expect(Redacted.value(supabase.anonKey)).toBe("a")
      expect(Redacted.value(supabase.serviceRoleKey)).toBe("service")
      expect(JSON.stringify(supabase)).not.toContain('"service"')
    })
  )

  it.effect("ServerConfig reads the environment or takes values, its own among them", () =>
    Effect.gen(function* () {
      const environment = {
        PORT: "0",
        HOST: "::1",
        DB_POOL_ALLOWED_HOSTS: "Pool.example.com, *.internal",
        LOG_LEVEL: "DEBUG",
        DB_POOL_ADMIN_TOKEN: "a-token-never-printed",
        DB_POOL_SLACK_WEBHOOK_URL: "https://hooks.slack.com/services/T/B/x"
      }
      const server = Context.get(yield* built(Config.ServerConfig.layer, environment), Config.ServerConfig)
      expect(server).toMatchObject({
        port: 0,
        host: "::1",
        allowedHosts: ["pool.example.com", "*.internal"],
        logLevel: LogLevel.Debug
      })
      expect(Option.map(server.adminToken, Redacted.value)).toEqual(Option.some("a-token-never-printed"))
      expect(Context.get(yield* built(Config.ServerConfig.layerOf(server)), Config.ServerConfig)).toEqual(server)
      const levelled = Config.ServerConfig.layerOf({ logLevel: "warning", adminToken: "another-never-printed" })
      const given = Context.get(yield* built(levelled), Config.ServerConfig)
      expect(given).toMatchObject({ port: 3000, logLevel: LogLevel.Warning })
      expect(Option.map(given.adminToken, Redacted.value)).toEqual(Option.some("another-never-printed"))
    })
  )

  it.effect("Config.layer provides all three, and Config.layerOf two from one object", () =>
    Effect.gen(function* () {
      const all = yield* built(Config.layer, { ...access, PORT: "1" })
      expect(Context.get(all, Config.PoolConfig)).toEqual(Config.production)
      expect(Context.get(all, Config.SupabaseConfig).url).toBe(access.SUPABASE_URL)
      expect(Context.get(all, Config.ServerConfig).port).toBe(1)
      const two = yield* built(Config.layerOf({ ...values, maxConnections: 8 }))
      expect(Context.get(two, Config.PoolConfig)).toMatchObject({ minConnections: 4, maxConnections: 8 })
      expect(Context.get(two, Config.SupabaseConfig).url).toBe(values.url)
    })
  )
})

describe("misspelt variables", () => {
  const warnings = (environment: Environment, delimiter: string) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const map = new Map(Object.entries(environment))
      const source = ConfigProvider.fromMap(map, { pathDelim: delimiter })
      yield* Config.load.pipe(
        Effect.withConfigProvider(source),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      return lines
    })

  it.effect.each([".", "_"])(
    "a name that is nearly one of ours is warned about when names are split at %s",
    (delimiter) =>
      Effect.gen(function* () {
        const typed = { DB_POOL_MAX_CONECTIONS: "40", DB_POOL_MAX_CONNECTIONS: "20", DB_POOL_RATE_LIMT: "sb_secret_1" }
        expect((yield* warnings(typed, delimiter)).toSorted()).toEqual([
          "DB_POOL_MAX_CONECTIONS is set, but nothing reads it. Did you mean DB_POOL_MAX_CONNECTIONS?",
          "DB_POOL_RATE_LIMT is set, but nothing reads it. Did you mean DB_POOL_RATE_LIMIT?"
        ])
      })
  )

  it.effect("the names that Kubernetes makes for a service called db-pool are left alone", () =>
    Effect.gen(function* () {
      const kubernetes = {
        DB_POOL_PORT: "tcp://10.0.0.1:80",
        DB_POOL_SERVICE_HOST: "10.0.0.1",
        DB_POOL_SERVICE_PORT: "80",
        DB_POOL_PORT_80_TCP: "tcp://10.0.0.1:80",
        DB_POOL_PORT_80_TCP_PROTO: "tcp"
      }
      expect(yield* warnings(kubernetes, "_")).toEqual([])
    })
  )

  it.effect("a provider that cannot list its names costs no start", () =>
    Effect.gen(function* () {
      const { flattened } = provider({ PORT: "1" })
      const mute = ConfigProvider.fromFlat(
        ConfigProvider.makeFlat({
          load: (path, config, split) => flattened.load(path, config, split),
          enumerateChildren: () => Effect.succeed(HashSet.empty()),
          patch: flattened.patch
        })
      )
      expect((yield* Effect.withConfigProvider(Config.load, mute)).server.port).toBe(1)
    })
  )
})
