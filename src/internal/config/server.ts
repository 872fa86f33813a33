/** The options of the HTTP server: its address, admin token, alert webhook and log level. */
import * as Either from "effect/Either"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Checked, checked, mistake, show } from "./mistake.js"
import type { Mistake, ServerOptions } from "./model.js"
import { count, type Parsed, type Parser, refuse } from "./parse.js"

const levels: ReadonlyMap<string, LogLevel.LogLevel> = new Map([
  ["all", LogLevel.All],
  ["trace", LogLevel.Trace],
  ["debug", LogLevel.Debug],
  ["info", LogLevel.Info],
  ["warn", LogLevel.Warning],
  ["warning", LogLevel.Warning],
  ["error", LogLevel.Error],
  ["fatal", LogLevel.Fatal],
  ["none", LogLevel.None],
  ["off", LogLevel.None]
])

const isLogLevel = (value: unknown): value is LogLevel.LogLevel => LogLevel.allLevels.some((level) => level === value)

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const texts = <A>(parse: (text: string) => Parsed<A>): Parser<A> => ({
  fromText: parse,
  fromUnknown: (value) => {
    const plain = Redacted.isRedacted(value) ? Redacted.value(value) : value
    return typeof plain === "string" ? parse(plain) : refuse("not a string", "give a string")
  }
})

const logLevelText = (text: string): Parsed<LogLevel.LogLevel> =>
  Either.fromNullable(levels.get(text.toLowerCase()), () => ({
    problem: "not a log level",
    remedy: "give trace, debug, info, warning, error, fatal or none"
  }))

const hostName = /^(?:\*|(?:\*\.)?[a-z\d_](?:[\w-]*[a-z\d])?(?:\.[a-z\d_](?:[\w-]*[a-z\d])?)*)$/i

const hostNames = (names: ReadonlyArray<string>): Parsed<ReadonlyArray<string>> =>
  names.every((name) => hostName.test(name))
    ? Either.right(names.map((name) => name.toLowerCase()))
    : refuse(
        "not a list of host names",
        "give names with commas between them and without ports, such as pool.example.com or *.example.com"
      )

/** Attackers can guess tokens; a random one of this length cannot be guessed. */
const shortestToken = 16

const parsers: { readonly [K in keyof ServerOptions]: Parser<ServerOptions[K]> } = {
  port: count({ min: 0, max: 65_535, example: 3000 }),
  host: texts((text) => {
    const remedy = "give a name or an address alone, such as 127.0.0.1 or 0.0.0.0; the port belongs in PORT"
    return /[\s/@[\]]/.test(text) || /^[^:]*:\d*$/.test(text) || text === ""
      ? refuse("neither a host name nor an address", remedy)
      : Either.right(text)
  }),
  allowedHosts: {
    fromText: (text) => hostNames(text.split(",").map((name) => name.trim())),
    fromUnknown: (value) => {
      const names: ReadonlyArray<unknown> =
        typeof value === "string" ? value.split(",") : isList(value) ? value : [value]
      return hostNames(names.map((name) => (typeof name === "string" ? name.trim() : "")))
    }
  },
  adminToken: texts((text) => {
    if (!/^[\x21-\x7e]+$/.test(text)) {
      const remedy = "use letters, digits and punctuation, without spaces"
      return refuse("holds a character that no HTTP header can carry", remedy)
    }
    return text.length < shortestToken
      ? refuse(`shorter than ${shortestToken} characters`, "make a long random one: openssl rand -base64 24")
      : Either.right(Option.some(Redacted.make(text)))
  }),
  slackWebhookUrl: texts((text) => {
    const url = Option.getOrUndefined(Option.liftThrowable((input: string) => new URL(input))(text))
    return url?.protocol === "https:" || url?.protocol === "http:"
      ? Either.right(Option.some(Redacted.make(url.href)))
      : refuse("not a web address", "copy the webhook's URL from Slack, https:// included")
  }),
  logLevel: {
    fromText: logLevelText,
    fromUnknown: (value) => {
      if (isLogLevel(value)) return Either.right(value)
      return typeof value === "string" ? logLevelText(value) : logLevelText("")
    }
  }
}

export const defaults: ServerOptions = {
  port: 3000,
  host: "127.0.0.1",
  allowedHosts: [],
  adminToken: Option.none(),
  slackWebhookUrl: Option.none(),
  logLevel: LogLevel.Info
}

const variables: { readonly [K in keyof ServerOptions]: string } = {
  port: "PORT",
  host: "HOST",
  allowedHosts: "DB_POOL_ALLOWED_HOSTS",
  adminToken: "DB_POOL_ADMIN_TOKEN",
  slackWebhookUrl: "DB_POOL_SLACK_WEBHOOK_URL",
  logLevel: "LOG_LEVEL"
}

interface Given<A> {
  readonly variable: string
  readonly shown: string
  readonly parsed: Parsed<A>
}

type Read = <K extends keyof ServerOptions>(key: K) => Option.Option<Given<ServerOptions[K]>>

const secret = (key: keyof ServerOptions): boolean => key === "adminToken" || key === "slackWebhookUrl"

const settle = (read: Read): Checked<ServerOptions> => {
  const mistakes: Array<Mistake> = []
  const option = <K extends keyof ServerOptions>(key: K): ServerOptions[K] => {
    const given = read(key)
    if (Option.isNone(given)) return defaults[key]
    const { parsed, shown, variable } = given.value
    if (Either.isRight(parsed)) return parsed.right
    mistakes.push(mistake({ variable }, parsed.left, secret(key) ? undefined : shown))
    return defaults[key]
  }
  const value: ServerOptions = {
    port: option("port"),
    host: option("host"),
    allowedHosts: option("allowedHosts"),
    adminToken: option("adminToken"),
    slackWebhookUrl: option("slackWebhookUrl"),
    logLevel: option("logLevel")
  }
  return checked(value, mistakes)
}

export const fromEnvironment = (environment: ReadonlyMap<string, string>): Checked<ServerOptions> =>
  settle((key) =>
    Option.map(Option.fromNullable(environment.get(variables[key])), (text) => ({
      variable: variables[key],
      shown: text,
      parsed: parsers[key].fromText(text)
    }))
  )

export const fromInput = (input: { readonly [K in keyof ServerOptions]?: unknown }): Checked<ServerOptions> =>
  settle((key) => {
    const value = input[key]
    // A resolved `ServerOptions` may be passed again; its options are unwrapped here.
    const plain = Option.isOption(value) ? Option.getOrUndefined(value) : value
    return plain === undefined
      ? Option.none()
      : Option.some({ variable: key, shown: show(plain), parsed: parsers[key].fromUnknown(plain) })
  })

export const secretsOf = (input: { readonly [K in keyof ServerOptions]?: unknown }): ReadonlyArray<string> =>
  [input.adminToken, input.slackWebhookUrl].flatMap((value) => {
    const inner = Option.isOption(value) ? Option.getOrUndefined(value) : value
    const text = Redacted.isRedacted(inner) ? Redacted.value(inner) : inner
    return typeof text === "string" && text !== "" ? [text] : []
  })
