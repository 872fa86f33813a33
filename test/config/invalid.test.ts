import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  ConfigError,
  ConfigProvider,
  Duration,
  Effect,
  Either,
  FastCheck,
  Layer,
  Option,
  Redacted
} from "effect"
import * as Config from "../../src/Config.js"
import { shows } from "../support/reliability.js"

type Environment = Readonly<Record<string, string>>

const load = (environment: Environment) =>
  Effect.withConfigProvider(Config.load, ConfigProvider.fromMap(new Map(Object.entries(environment))))

// Not `Effect.flip`: vitest does not come to an end over a failure that is a whole configuration.
const failure = (environment: Environment) =>
  Effect.matchEffect(load(environment), {
    onFailure: Effect.succeed,
    onSuccess: () => Effect.die(new Error("no mistake was found"))
  })

const jwt = (role: string) => `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify({ role })).toString("base64url")}.c2ln`

const access = {
  SUPABASE_URL: "https://abcdefgh.supabase.co",
  SUPABASE_ANON_KEY: jwt("anon"),
  SUPABASE_SERVICE_ROLE_KEY: jwt("service_role")
}

describe("a mistake by example", () => {
  const examples: ReadonlyArray<readonly [environment: Environment, line: string]> = [
    [
      { DB_POOL_MIN_CONNECTIONS: "11", DB_POOL_MAX_CONNECTIONS: "20" },
      "DB_POOL_MIN_CONNECTIONS: more than half of the maximum of 20 (11) — DB_POOL_MAX_CONNECTIONS is shared by two pools, 10 for the smaller: give at most 10, or raise it: 11 in each of the two pools needs a maximum of at least 22"
    ],
    [
      { DB_POOL_MIN_CONNECTIONS: "30" },
      "DB_POOL_MIN_CONNECTIONS: more than the maximum of 20 (30) — the maximum is shared"
    ],
    [{ DB_POOL_MAX_CONNECTIONS: "0" }, "DB_POOL_MAX_CONNECTIONS: zero (0) — the read pool and the write pool need"],
    [{ DB_POOL_MAX_CONNECTIONS: "1" }, "DB_POOL_MAX_CONNECTIONS: too small (1) — "],
    [{ DB_POOL_MAX_CONNECTIONS: "-4" }, "DB_POOL_MAX_CONNECTIONS: negative (-4) — give a whole number from 2 to 10000"],
    [{ DB_POOL_MAX_CONNECTIONS: "NaN" }, "DB_POOL_MAX_CONNECTIONS: not a whole number (NaN) — "],
    [{ DB_POOL_MAX_CONNECTIONS: "10.5" }, "DB_POOL_MAX_CONNECTIONS: not a whole number (10.5) — "],
    [{ DB_POOL_MAX_CONNECTIONS: "99999999" }, "DB_POOL_MAX_CONNECTIONS: too large (99999999) — "],
    [{ DB_POOL_ENABLE_METRICS: "perhaps" }, "DB_POOL_ENABLE_METRICS: neither true nor false (perhaps) — give true"],
    [{ DB_POOL_LOAD: "huge" }, "DB_POOL_LOAD: not a preset's name (huge) — give low, medium, high or extreme"],
    [{ DB_POOL_CONFIG: "{" }, "DB_POOL_CONFIG: not valid JSON"],
    [{ DB_POOL_CONFIG: "[5]" }, "DB_POOL_CONFIG: JSON, but not an object — give one JSON object"],
    [{ DB_POOL_CONFIG: "null" }, "DB_POOL_CONFIG: JSON, but not an object — "],
    [
      { DB_POOL_CONFIG: '{"maxConections":20}' },
      "DB_POOL_CONFIG: unknown option (maxConections) — did you mean maxConnections?"
    ],
    [{ DB_POOL_CONFIG: '{"colour":1}' }, "DB_POOL_CONFIG: unknown option (colour) — the options are minConnections, "],
    [{ DB_POOL_CONFIG: '{"maxRetries":"3"}' }, 'DB_POOL_CONFIG: maxRetries: not a whole number ("3") — '],
    [{ DB_POOL_CONFIG: '{"maxRetries":1e400}' }, "DB_POOL_CONFIG: maxRetries: too large (Infinity) — "],
    [
      { DB_POOL_CONFIG: '{"idleTimeout":[1,0]}' },
      "DB_POOL_CONFIG: idleTimeout: neither a number, a string nor true or "
    ],
    [{ DB_POOL_CONFIG: '{"idleTimeout":true}' }, "DB_POOL_CONFIG: idleTimeout: not a duration (true) — "],
    [{ DB_POOL_CONFIG: '{"retryJitter":1}' }, "DB_POOL_CONFIG: retryJitter: neither true nor false (1) — "],
    [{ DB_POOL_CONFIG: '{"rateLimit":null}' }, "DB_POOL_CONFIG: rateLimit: neither a number, a string nor true or "],
    [
      { DB_POOL_CONFIG: '{"minConnections":6,"maxConnections":10}' },
      "DB_POOL_CONFIG: minConnections: more than half of the maximum of 10 (6) — maxConnections in DB_POOL_CONFIG is shared"
    ],
    [{ PORT: "65536" }, "PORT: too large (65536) — give a whole number from 0 to 65535, such as 3000"],
    [{ HOST: "localhost:3000" }, "HOST: neither a host name nor an address (localhost:3000) — "],
    [{ HOST: "http://localhost" }, "HOST: neither a host name nor an address (http://localhost) — "],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL: not a log level (loud) — give trace, debug, info"],
    [{ DB_POOL_COMPRESSION: "br" }, "DB_POOL_COMPRESSION: neither true nor false (br) — "],
    [{ DB_POOL_PROXY: "socks5://a:1" }, "DB_POOL_PROXY: not an address of an HTTP proxy — "],
    [{ DB_POOL_MAX_ANSWER: "0" }, "DB_POOL_MAX_ANSWER: zero (0) — "],
    [{ DB_POOL_MAX_ANSWER: "1 KB" }, "DB_POOL_MAX_ANSWER: too small (1 KB) — "],
    [{ DB_POOL_MAX_ANSWER: "1 GB" }, "DB_POOL_MAX_ANSWER: too large (1 GB) — "],
    [{ DB_POOL_MAX_ANSWER: "64 m" }, "DB_POOL_MAX_ANSWER: not a number of bytes (64 m) — "],
    [{ DB_POOL_ADMIN_TOKEN: "fifteen-letters" }, "DB_POOL_ADMIN_TOKEN: shorter than 16 characters — make "],
    [{ DB_POOL_ALLOWED_HOSTS: "a.com:80" }, "DB_POOL_ALLOWED_HOSTS: not a list of host names (a.com:80) — "],
    [{ DB_POOL_ALLOWED_HOSTS: "a.com,,b.com" }, "DB_POOL_ALLOWED_HOSTS: not a list of host names (a.com,,b.com) — "],
    [{ DB_POOL_ADMIN_TOKEN: "two words" }, "DB_POOL_ADMIN_TOKEN: holds a character that no HTTP header can carry — "],
    [{ DB_POOL_SLACK_WEBHOOK_URL: "slack" }, "DB_POOL_SLACK_WEBHOOK_URL: not a web address — "],
    [{ ...access, SUPABASE_URL: "abcdefgh" }, "SUPABASE_URL: not a URL (abcdefgh) — give the project's API address"],
    [{ ...access, SUPABASE_URL: "ftp://host" }, "SUPABASE_URL: neither http nor https (ftp://host) — "],
    [{ ...access, SUPABASE_URL: "localhost:54321" }, "SUPABASE_URL: neither http nor https (localhost:54321) — "],
    [{ ...access, SUPABASE_URL: "https://me:pw@host" }, "SUPABASE_URL: a URL with a user name or password in it — "],
    [{ ...access, SUPABASE_URL: "postgres://me:pw@host/db" }, "SUPABASE_URL: a Postgres connection string, not the "],
    [{ ...access, SUPABASE_URL: "https://host/?apikey=x" }, "SUPABASE_URL: a URL with a query or a fragment — "],
    [
      { ...access, SUPABASE_URL: "https://supabase.com/dashboard/project/x" },
      "SUPABASE_URL: the address of the dashboard (https://supabase.com/dashboard/project/x) — "
    ],
    [{ ...access, SUPABASE_URL: "https://host/rest/v1/" }, "SUPABASE_URL: the address of one service (https://host/re"],
    [{ ...access, SUPABASE_URL: "" }, "SUPABASE_URL: missing — give the project's API address"],
    [
      { ...access, SUPABASE_ANON_KEY: "" },
      "SUPABASE_ANON_KEY: missing, and SUPABASE_PUBLISHABLE_KEY too — set SUPABASE_ANON_KEY or SUPABASE_PUBLISHABLE_KEY"
    ],
    [
      { ...access, SUPABASE_SERVICE_ROLE_KEY: "" },
      "SUPABASE_SERVICE_ROLE_KEY: missing, and SUPABASE_SECRET_KEY too — set SUPABASE_SERVICE_ROLE_KEY or SUPABASE_SEC"
    ],
    [
      { ...access, SUPABASE_ANON_KEY: "", SUPABASE_PUBLISHABLE_KEY: "sb_secret_1" },
      "SUPABASE_PUBLISHABLE_KEY: a service-role key where the anon key belongs — every read would bypass row level"
    ],
    [{ ...access, SUPABASE_ANON_KEY: jwt("service_role").concat("x") }, "SUPABASE_ANON_KEY: a service-role key where"],
    [{ ...access, SUPABASE_SERVICE_ROLE_KEY: "sb_publishable_1" }, "SUPABASE_SERVICE_ROLE_KEY: an anon key where the "],
    [
      { ...access, SUPABASE_ANON_KEY: "same", SUPABASE_SERVICE_ROLE_KEY: "same" },
      "SUPABASE_ANON_KEY: the same key as SUPABASE_SERVICE_ROLE_KEY — "
    ],
    [
      { ...access, SUPABASE_ANON_KEY: "line\n" },
      "SUPABASE_ANON_KEY: holds a character that no HTTP header can carry — "
    ],
    [{ ...access, SUPABASE_ANON_KEY: "ключ" }, "SUPABASE_ANON_KEY: holds a character that no HTTP header can carry — "],
    [{ ...access, SUPABASE_ANON_KEY: '"quoted"' }, "SUPABASE_ANON_KEY: wrapped in quotes — "]
  ]

  it.effect.each(examples)("%j is told in one line", ([environment, line]) =>
    Effect.gen(function* () {
      const { message, mistakes } = yield* failure(environment)
      expect(message.split("\n")[1]).toContain(line)
      expect(mistakes).toHaveLength(1)
    })
  )

  it.effect("a minimum is named too when the maximum beside it cannot be read", () =>
    Effect.gen(function* () {
      const { message } = yield* failure({ DB_POOL_MIN_CONNECTIONS: "9", DB_POOL_MAX_CONNECTIONS: "abc" })
      expect(message).toBe(
        [
          "2 mistakes in the configuration; nothing was opened:",
          "  DB_POOL_MAX_CONNECTIONS: not a whole number (abc) — give a whole number from 2 to 10000, such as 20",
          "  DB_POOL_MIN_CONNECTIONS: cannot be checked while DB_POOL_MAX_CONNECTIONS cannot be read (9) — 9 in each of the two pools needs a maximum of at least 18"
        ].join("\n")
      )
    })
  )

  it.effect("a minimum is not judged against a maximum that nobody knows", () =>
    Effect.gen(function* () {
      const named = (environment: Environment) =>
        Effect.map(failure(environment), ({ mistakes }) => mistakes.map(({ variable }) => variable))
      expect(yield* named({ DB_POOL_MIN_CONNECTIONS: "30", DB_POOL_CONFIG: "{" })).toEqual(["DB_POOL_CONFIG"])
      expect(yield* named({ DB_POOL_MIN_CONNECTIONS: "30", DB_POOL_LOAD: "?" })).toEqual(["DB_POOL_LOAD"])
    })
  )

  it.effect("mistakes of all three parts come in one error", () =>
    Effect.gen(function* () {
      const { mistakes } = yield* failure({ SUPABASE_URL: "?", DB_POOL_MAX_RETRIES: "x", PORT: "y", HOST: "/" })
      expect(mistakes.map(({ variable }) => variable)).toEqual([
        "DB_POOL_MAX_RETRIES",
        "SUPABASE_URL",
        "SUPABASE_ANON_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "PORT",
        "HOST"
      ])
    })
  )

  it.effect("a single layer reports its own part, and SupabaseConfig needs the URL", () =>
    Effect.gen(function* () {
      const named = <A>(layer: Layer.Layer<A, Config.ConfigInvalid>) =>
        Layer.build(layer).pipe(
          Effect.scoped,
          Effect.flip,
          Effect.map(({ mistakes }) => mistakes.map(({ variable }) => variable)),
          Effect.withConfigProvider(
            ConfigProvider.fromMap(
              new Map([
                ["PORT", "y"],
                ["DB_POOL_MAX_RETRIES", "x"]
              ])
            )
          )
        )
      const keys = ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]
      expect(yield* named(Config.PoolConfig.layer)).toEqual(["DB_POOL_MAX_RETRIES"])
      expect(yield* named(Config.ServerConfig.layer)).toEqual(["PORT"])
      expect(yield* named(Config.SupabaseConfig.layer)).toEqual(keys)
      expect(yield* named(Config.layer)).toEqual(["DB_POOL_MAX_RETRIES", ...keys, "PORT"])
    })
  )

  it.effect("a provider that fails is told by the names it failed for, without its words", () =>
    Effect.gen(function* () {
      const broken = ConfigProvider.fromFlat(
        ConfigProvider.makeFlat({
          load: (path) => Effect.fail(ConfigError.SourceUnavailable([...path], "vault said sb_secret_1", Cause.empty)),
          enumerateChildren: () => Effect.fail(ConfigError.Unsupported([], "no list")),
          patch: { _tag: "Empty" }
        })
      )
      const { message, mistakes } = yield* Effect.flip(Effect.withConfigProvider(Config.load, broken))
      expect(mistakes.map(({ variable }) => variable)).toEqual(Config.variables.map(({ name }) => name))
      expect(message).not.toContain("vault")
    })
  )
})

describe("values given in code", () => {
  it("mistakes are named by option, unknown options among them", () => {
    const typed = {
      maxConections: 3,
      minConnections: 0,
      connectionTimeout: Number.NaN,
      idleTimeout: -1,
      rateLimit: 1.5
    }
    const found = Either.flip(Config.poolOptions(typed)).pipe(Either.getOrThrow)
    expect(found.message.split("\n").slice(1)).toEqual([
      "  maxConections: unknown option — did you mean maxConnections?",
      "  minConnections: zero (0) — give a whole number from 1 to 5000, such as 5",
      "  connectionTimeout: not a number (NaN) — give milliseconds or a number with a unit, such as 30000 or 30 seconds",
      "  idleTimeout: negative (-1) — give milliseconds or a number with a unit, such as 300000 or 5 minutes",
      "  rateLimit: not a whole number (1.5) — give a whole number from 1 to 1000000000, such as 100"
    ])
  })

  it.effect("Config.layerOf names the mistakes of access and options together, and shows no key", () =>
    Effect.gen(function* () {
      const layer = Config.layerOf({
        url: "host",
        anonKey: "se cret",
        serviceRoleKey: Redacted.make(""),
        maxConnections: 1
      })
      const { message, mistakes } = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(mistakes.map(({ variable }) => variable)).toEqual(["maxConnections", "url", "anonKey", "serviceRoleKey"])
      expect(message).not.toContain("se cret")
    })
  )

  it.effect("ServerConfig.layerOf checks too, and shows no token", () =>
    Effect.gen(function* () {
      const layer = Config.ServerConfig.layerOf({
        port: -1,
        host: "a b",
        adminToken: "se cret",
        slackWebhookUrl: "sec"
      })
      const { message, mistakes } = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(mistakes.map(({ variable }) => variable)).toEqual(["port", "host", "adminToken", "slackWebhookUrl"])
      expect(message).not.toContain("sec")
    })
  )
})

describe("safety", () => {
  it.effect("members called __proto__ and constructor are unknown options and change no prototype", (context) =>
    Effect.gen(function* () {
      const text = '{"__proto__":{"polluted":1,"maxRetries":9},"constructor":{"prototype":{"polluted":1}},"toString":1}'
      const { mistakes } = yield* failure({ DB_POOL_CONFIG: text })
      expect(mistakes.map(({ value }) => value)).toEqual(["__proto__", "constructor", "toString"])
      expect("polluted" in {}).toBe(false)
      shows(context, {
        kind: "promise",
        section: "Security",
        what: "members called `__proto__` and `constructor` in `DB_POOL_CONFIG` are unknown options; no prototype changes"
      })
    })
  )

  it.effect("a key in the wrong variable, or inside broken JSON, is not shown", () =>
    Effect.gen(function* () {
      const key = "sb_secret_hush"
      const { message } = yield* failure({
        DB_POOL_MAX_RETRIES: key,
        DB_POOL_CONFIG: `{"${key}":1`,
        DB_POOL_LOAD: "plain",
        PORT: "own-token",
        DB_POOL_ADMIN_TOKEN: "own-token",
        SUPABASE_URL: jwt("anon"),
        HOST: "/me:pw@host"
      })
      expect(message).not.toMatch(/hush|own-token|eyJ|pw/)
      expect(message).toContain("(plain)")
    })
  )

  const logins = [
    "bob:hush",
    "bob:hush@host:port",
    "socks5://bob:hush@host:1",
    "http://bob:hush@",
    "http://bob:1/hush@host:3128",
    "http://bob:1#hush@host:3128",
    "http://bob:1?hush@host:3128"
  ]
  for (const login of logins) {
    it.effect(`what may hold a login or a key is shown nowhere (${login.replace("hush", "…")})`, () =>
      Effect.gen(function* () {
        const given = [
          yield* failure({ DB_POOL_PROXY: login }),
          yield* failure({ DB_POOL_CONFIG: JSON.stringify({ proxy: login, clientKey: "hush" }) }),
          Either.getOrThrow(Either.flip(Config.poolOptions({ proxy: login })))
        ]
        for (const { message } of given) {
          expect(message).toContain("not an address of an HTTP proxy")
          expect(message).not.toContain("hush")
        }
      })
    )
  }

  it.effect("a value of many lines or letters stays one short line", () =>
    Effect.gen(function* () {
      const { message } = yield* failure({ DB_POOL_LOAD: `a\r\nb\u2028c ${"long ".repeat(100)}` })
      expect(message.split(/\r|\n|\u2028/)).toHaveLength(2)
      expect(message.length).toBeLessThan(300)
    })
  )

  const junk = FastCheck.oneof(
    FastCheck.string(),
    FastCheck.fullUnicodeString(),
    FastCheck.constantFrom("NaN", "-1", "0", "abc", "{}", "[]", "null", "1e9", "Infinity", "true", "https://a.b"),
    FastCheck.double().map(String)
  )
  const numbers = FastCheck.integer({ min: -2, max: 60 }).map(String)
  const spans = FastCheck.tuple(FastCheck.nat(100), FastCheck.constantFrom("ms", " seconds", "h", "")).map((parts) =>
    parts.join("")
  )
  const json = FastCheck.dictionary(
    FastCheck.oneof(FastCheck.constantFrom(...Object.keys(Config.production)), FastCheck.string()),
    FastCheck.oneof(FastCheck.jsonValue(), FastCheck.nat(50))
  ).map((members) => JSON.stringify(members))
  // The mark makes sure that a key is found in a message only when it was put there.
  const keys = FastCheck.oneof(
    FastCheck.constantFrom(
      "sb_secret_MARK",
      "sb_publishable_MARK",
      "MARK",
      "MARK key",
      jwt("anon"),
      jwt("service_role")
    ),
    FastCheck.string().map((text) => `MARK${text}`)
  )
  const arbitraryOf = ({ name, secret }: Config.Variable): FastCheck.Arbitrary<string> => {
    if (secret) return keys
    if (name === "DB_POOL_CONFIG") return FastCheck.oneof(json, junk, keys)
    return FastCheck.oneof({ arbitrary: numbers, weight: 4 }, { arbitrary: spans, weight: 3 }, junk, keys)
  }
  const environments = FastCheck.tuple(
    ...Config.variables.map((variable) =>
      FastCheck.option(arbitraryOf(variable), { freq: 1, nil: undefined }).map((text) => ({
        name: variable.name,
        text
      }))
    )
  ).chain((all) =>
    // Few at a time, or no environment would ever be valid.
    FastCheck.subarray(all).map(
      (some): Environment =>
        Object.fromEntries(some.flatMap(({ name, text }) => (text === undefined ? [] : [[name, text]])))
    )
  )
  const valid = FastCheck.record(
    {
      DB_POOL_MIN_CONNECTIONS: FastCheck.integer({ min: 1, max: 12 }).map(String),
      DB_POOL_MAX_CONNECTIONS: FastCheck.integer({ min: 2, max: 40 }).map(String),
      DB_POOL_IDLE_TIMEOUT: spans,
      DB_POOL_LOAD: FastCheck.constantFrom("low", "extreme", "?")
    },
    { requiredKeys: [] }
  ).map((some): Environment => some)

  const expectSound = (options: Config.PoolOptions) => {
    const { read, write } = Config.poolSizes(options)
    expect(read.max + write.max).toBe(options.maxConnections)
    expect(1 <= read.min && read.min <= write.max && write.max <= read.max).toBe(true)
    for (const value of Object.values(options)) {
      if (Duration.isDuration(value)) expect(Duration.toMillis(value)).toBeLessThanOrEqual(2 ** 31 - 1)
      if (typeof value === "number") expect(Number.isSafeInteger(value) && value >= 0).toBe(true)
    }
    const never = [options.connectionTimeout, options.idleTimeout, options.retryDelay, options.requestTimeout]
    expect(never.every((value) => Duration.toMillis(value) >= 1)).toBe(true)
  }

  const required = ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]

  it.effect.prop(
    "any environment gives a sound configuration, or mistakes that name what was set, and never a key",
    [FastCheck.oneof(environments, valid)],
    ([environment]) =>
      Effect.gen(function* () {
        const loaded = yield* Effect.either(load(environment))
        if (Either.isRight(loaded)) {
          expectSound(loaded.right.pool)
          expect(Option.isSome(loaded.right.supabase)).toBe(
            // An empty variable is one that is not set.
            Object.entries(environment).some(([name, text]) => /SUPABASE/.test(name) && text.trim() !== "")
          )
          return
        }
        const { message, mistakes } = loaded.left
        expect(mistakes.length).toBeGreaterThan(0)
        for (const { variable } of mistakes) expect([...Object.keys(environment), ...required]).toContain(variable)
        expect(message.split("\n")).toHaveLength(mistakes.length + 1)
        // Each by itself: as JSON, a value of another variable ends in a quote, as a key may.
        const said = [message, ...mistakes.flatMap((mistake) => Object.values(mistake))]
        for (const { name, secret } of Config.variables) {
          const text = environment[name]
          if (secret && text !== undefined) expect(said.filter((each) => each.includes(text.trim()))).toEqual([])
        }
      }),
    { fastCheck: { numRuns: 500, examples: [[{ SUPABASE_URL: "MARK", SUPABASE_PUBLISHABLE_KEY: 'MARK"' }]] } }
  )
})
