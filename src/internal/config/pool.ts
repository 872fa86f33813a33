/** Builds the pool's options from a base preset, an object and single variables, in that order, or reports every mistake. */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { type Fields, fields } from "./fields.js"
import { type Checked, checked, mistake, mistakesOf, name, nearest, type Place, show } from "./mistake.js"
import type { Load, Mistake, PoolOptions, PoolOptionsInput } from "./model.js"
import { type Parsed, refuse } from "./parse.js"
import { pairProblem } from "./pem.js"
import { development, loads, optimized, production } from "./presets.js"

/** The size of each pool. The read pool has the odd connection, since there are more reads than writes. */
export const sizes = (options: Pick<PoolOptions, "minConnections" | "maxConnections">) => ({
  read: { min: options.minConnections, max: Math.ceil(options.maxConnections / 2) },
  write: { min: options.minConnections, max: smallerHalf(options.maxConnections) }
})

const smallerHalf = (maxConnections: number): number => Math.floor(maxConnections / 2)

/** One layer above the base: its value for an option, if any, and the place of that value. */
interface Source {
  readonly place: (key: keyof PoolOptions) => Place
  readonly read: <K extends keyof PoolOptions>(key: K) => Option.Option<Given<PoolOptions[K]>>
  readonly mistakes: ReadonlyArray<Mistake>
  /** An object that could not be read at all: its values are unknown. */
  readonly broken: boolean
}

interface Given<A> {
  readonly shown: string
  readonly parsed: Parsed<A>
}

const isKey = (text: string): text is keyof Fields => Object.hasOwn(fields, text)

const unknownName = (place: Place, typed: string): Mistake =>
  mistake(
    place,
    {
      problem: "unknown option",
      remedy: Option.match(nearest(typed, Object.keys(fields)), {
        onNone: () => `the options are ${Object.keys(fields).join(", ")}`,
        onSome: (known) => `did you mean ${known}?`
      })
    },
    place.variable === typed ? undefined : typed
  )

const fromObject = (
  object: object,
  place: (key: string) => Place,
  unknownPlace: (key: string) => Place,
  json: boolean
): Source => {
  // Own members only, looked up in a Map: `__proto__` and `constructor` are ordinary names here.
  const members: ReadonlyMap<string, unknown> = new Map<string, unknown>(
    Object.entries(object).filter(([, value]) => value !== undefined)
  )
  return {
    place,
    broken: false,
    mistakes: [...members.keys()].filter((key) => !isKey(key)).map((key) => unknownName(unknownPlace(key), key)),
    read: (key) => {
      if (!members.has(key)) return Option.none()
      const value = members.get(key)
      const parsed =
        json && typeof value === "object"
          ? refuse("neither a number, a string nor true or false", "give one plain value; leave it out for the default")
          : fields[key].fromUnknown(value)
      return Option.some({ shown: show(value), parsed })
    }
  }
}

const brokenObject = (variable: string, problem: string): Source => ({
  place: (key) => ({ variable, member: key }),
  broken: true,
  read: () => Option.none(),
  mistakes: [
    mistake({ variable }, { problem, remedy: 'give one JSON object, such as {"minConnections":5,"maxConnections":20}' })
  ]
})

// Node quotes the text in its message, and the text may hold a key; the position alone is safe.
const positionOf = (error: unknown): string => {
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined
  return position === undefined ? "" : ` from character ${Number(position) + 1} on`
}

const fromJson = (variable: string, text: string): Source =>
  Either.match(Either.try({ try: (): unknown => JSON.parse(text), catch: (error) => error }), {
    onLeft: (error) => brokenObject(variable, `not valid JSON${positionOf(error)}`),
    onRight: (value) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? fromObject(
            value,
            (member) => ({ variable, member }),
            () => ({ variable }),
            true
          )
        : brokenObject(variable, "JSON, but not an object")
  })

const fromVariables = (environment: ReadonlyMap<string, string>): Source => ({
  place: (key) => ({ variable: fields[key].variable }),
  broken: false,
  mistakes: [],
  read: (key) =>
    Option.map(Option.fromNullable(environment.get(fields[key].variable)), (text) => ({
      shown: text,
      parsed: fields[key].fromText(text)
    }))
})

/** The result for one option: its value, its source, and whether its last source could be read. */
interface Settled<A> {
  readonly value: A
  readonly from: Option.Option<{ readonly place: Place; readonly shown: string; readonly readable: boolean }>
}

const settle = (base: PoolOptions, baseKnown: boolean, sources: ReadonlyArray<Source>): Checked<PoolOptions> => {
  const mistakes: Array<Mistake> = sources.flatMap((source) => source.mistakes)
  const option = <K extends keyof PoolOptions>(key: K): Settled<PoolOptions[K]> => {
    let settled: Settled<PoolOptions[K]> = { value: base[key], from: Option.none() }
    for (const source of sources) {
      const given = source.read(key)
      if (Option.isNone(given)) continue
      const { parsed, shown } = given.value
      const place = source.place(key)
      if (Either.isLeft(parsed)) {
        mistakes.push(mistake(place, parsed.left, fields[key].secret === true ? undefined : shown))
      }
      settled = {
        value: Either.isRight(parsed) ? parsed.right : settled.value,
        from: Option.some({ place, shown, readable: Either.isRight(parsed) })
      }
    }
    return settled
  }
  const min = option("minConnections")
  const max = option("maxConnections")
  const maxKnown = Option.isSome(max.from) || (baseKnown && !sources.some((source) => source.broken))
  mistakes.push(...minimumAgainstMaximum(min, max, maxKnown))
  const cert = option("clientCert")
  const key = option("clientKey")
  mistakes.push(...certificateAgainstKey(cert, key))
  const value: PoolOptions = {
    // A preset's own minimum is only a default and gives way to a smaller maximum; a given minimum is a mistake above it.
    minConnections: Option.isNone(min.from) ? Math.min(min.value, smallerHalf(max.value)) : min.value,
    maxConnections: max.value,
    connectionTimeout: option("connectionTimeout").value,
    idleTimeout: option("idleTimeout").value,
    maxRetries: option("maxRetries").value,
    retryDelay: option("retryDelay").value,
    retryJitter: option("retryJitter").value,
    requestTimeout: option("requestTimeout").value,
    healthCheckInterval: option("healthCheckInterval").value,
    leakDetectionTimeout: option("leakDetectionTimeout").value,
    maxLifetime: option("maxLifetime").value,
    keepaliveInterval: option("keepaliveInterval").value,
    maxPending: option("maxPending").value,
    adaptive: option("adaptive").value,
    maxAnswer: option("maxAnswer").value,
    compression: option("compression").value,
    transport: option("transport").value,
    proxy: option("proxy").value,
    ca: option("ca").value,
    clientCert: cert.value,
    clientKey: key.value,
    shutdownTimeout: option("shutdownTimeout").value,
    enableMetrics: option("enableMetrics").value,
    enableHealthChecks: option("enableHealthChecks").value,
    noticeRounding: option("noticeRounding").value,
    rateLimit: option("rateLimit").value,
    rateLimitWindow: option("rateLimitWindow").value
  }
  return checked(value, mistakes)
}

/** A given minimum must fit into the smaller half of the maximum; unknown values are not checked. */
const minimumAgainstMaximum = (
  min: Settled<number>,
  max: Settled<number>,
  maxKnown: boolean
): ReadonlyArray<Mistake> => {
  if (Option.isNone(min.from) || !min.from.value.readable || !maxKnown) return []
  const { place, shown } = min.from.value
  const needed = `${min.value} in each of the two pools needs a maximum of at least ${min.value * 2}`
  if (Option.isSome(max.from) && !max.from.value.readable) {
    const partner = name(max.from.value.place)
    return [mistake(place, { problem: `cannot be checked while ${partner} cannot be read`, remedy: needed }, shown)]
  }
  const half = smallerHalf(max.value)
  if (min.value <= half) return []
  const limit = Option.match(max.from, { onNone: () => "the maximum", onSome: ({ place }) => name(place) })
  const problem =
    min.value > max.value ? `more than the maximum of ${max.value}` : `more than half of the maximum of ${max.value}`
  const remedy = `${limit} is shared by two pools, ${half} for the smaller: give at most ${half}, or raise it: ${needed}`
  return [mistake(place, { problem, remedy }, shown)]
}

/** The name of the other option, in the place of the first. */
const beside = ({ member, variable }: Place, key: "clientCert" | "clientKey"): string => {
  if (member !== undefined) return name({ variable, member: key })
  return Object.hasOwn(fields, variable) ? key : fields[key].variable
}

/** A certificate proves nothing without its key, and a key is shown to nobody without its certificate. */
const certificateAgainstKey = (
  cert: Settled<PoolOptions["clientCert"]>,
  key: Settled<PoolOptions["clientKey"]>
): ReadonlyArray<Mistake> => {
  const [hasCert, hasKey] = [Option.isSome(cert.value), Option.isSome(key.value)]
  const given = hasCert ? cert.from : key.from
  const isKnown = [cert, key].every(({ from }) => Option.isNone(from) || from.value.readable)
  if (Option.isNone(given) || !isKnown || !(hasCert || hasKey)) return []
  const { place } = given.value
  if (Option.isSome(cert.value) && Option.isSome(key.value)) {
    const itsKey = Option.match(key.from, { onNone: () => "clientKey", onSome: (from) => name(from.place) })
    const refusal = pairProblem(cert.value.value, key.value.value, itsKey)
    return Option.toArray(Option.map(refusal, (each) => mistake(place, each)))
  }
  const refusal = hasCert
    ? { problem: "a certificate without its private key", remedy: `give that in ${beside(place, "clientKey")}` }
    : { problem: "a private key without its certificate", remedy: `give that in ${beside(place, "clientCert")}` }
  return [mistake(place, refusal)]
}

const isLoad = (text: string): text is Load => loads.some((load) => load === text)

interface Base {
  readonly value: PoolOptions
  /** Whether the preset that the user asked for exists. */
  readonly known: boolean
  readonly mistakes: ReadonlyArray<Mistake>
}

const baseOf = (environment: ReadonlyMap<string, string>): Base => {
  const fallback = environment.get("NODE_ENV") === "development" ? development : production
  const load = environment.get("DB_POOL_LOAD")
  if (load === undefined) return { value: fallback, mistakes: [], known: true }
  const typed = load.toLowerCase()
  if (isLoad(typed)) return { value: optimized(typed), mistakes: [], known: true }
  const refusal = { problem: "not a preset's name", remedy: "give low, medium, high or extreme" }
  return { value: fallback, mistakes: [mistake({ variable: "DB_POOL_LOAD" }, refusal, load)], known: false }
}

export const fromEnvironment = (environment: ReadonlyMap<string, string>): Checked<PoolOptions> => {
  const base = baseOf(environment)
  const json = Option.map(Option.fromNullable(environment.get("DB_POOL_CONFIG")), (text) =>
    fromJson("DB_POOL_CONFIG", text)
  )
  const settled = settle(base.value, base.known, [...Option.toArray(json), fromVariables(environment)])
  return base.known ? settled : Either.left([...base.mistakes, ...mistakesOf(settled)])
}

export const fromInput = (input: PoolOptionsInput): Checked<PoolOptions> => {
  const place = (variable: string): Place => ({ variable })
  return settle(production, true, [fromObject(input, place, place, false)])
}
