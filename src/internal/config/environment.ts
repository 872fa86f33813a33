/** Reads the variables: the one place that asks Effect's `ConfigProvider`. */
import * as EffectConfig from "effect/Config"
import * as Effect from "effect/Effect"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import { mistake, nearest } from "./mistake.js"
import type { Mistake } from "./model.js"
import { secretNames, variables } from "./variables.js"

export interface Environment {
  /** The variables that are set. One that holds only white space counts as unset; `FOO= npm start` unsets it. */
  readonly values: ReadonlyMap<string, string>
  readonly mistakes: ReadonlyArray<Mistake>
  readonly secrets: ReadonlyArray<string>
}

const secret: ReadonlySet<string> = new Set(secretNames)

// A key keeps its white space, so that the check of its characters can name it.
const tidy = (name: string, text: string): Option.Option<string> => {
  const trimmed = text.trim()
  return trimmed === "" ? Option.none() : Option.some(secret.has(name) ? text : trimmed)
}

const readOne = (name: string) =>
  EffectConfig.option(EffectConfig.string(name)).pipe(
    Effect.map((value) => ({ name, value: Option.flatMap(value, (text) => tidy(name, text)), failed: false })),
    // The provider's own message is left out: it may quote a value.
    Effect.catchAll(() => Effect.succeed({ name, value: Option.none<string>(), failed: true }))
  )

export const environment: Effect.Effect<Environment> = Effect.map(
  Effect.forEach(variables, ({ name }) => readOne(name)),
  (readings) => {
    const values = new Map(
      readings.flatMap(({ name, value }) =>
        Option.toArray(value).map((text): readonly [string, string] => [name, text])
      )
    )
    return {
      values,
      secrets: secretNames.flatMap((name) => values.get(name)?.trim() ?? []),
      mistakes: readings
        .filter(({ failed }) => failed)
        .map(({ name }) =>
          mistake(
            { variable: name },
            { problem: "cannot be read", remedy: "check the configuration provider: it failed for this name" }
          )
        )
    }
  }
)

const prefix = "DB_POOL_"

const deepest = 8

/** The listed names that begin like ours. Providers that split at `_` list them piece by piece. */
const listed: Effect.Effect<ReadonlyArray<string>> = Effect.configProviderWith((provider) => {
  const children = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    Effect.orElseSucceed(Effect.map(provider.flattened.enumerateChildren(path), HashSet.toValues), () => [])
  const below = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    path.length > deepest
      ? Effect.succeed([])
      : Effect.flatMap(children(path), (names) =>
          Effect.map(
            Effect.forEach(names, (name) => below([...path, name])),
            (nested) => [...names.map((name) => [...path, name].join("_")), ...nested.flat()]
          )
        )
  return Effect.zipWith(children([]), below(["DB", "POOL"]), (whole, pieces) => [...whole, ...pieces])
})

/**
 * A warning, not a mistake, for each `DB_POOL_` name that is nearly one of ours: Kubernetes puts `DB_POOL_PORT` and
 * others into every container beside a service called `db-pool`, and they must not stop a start.
 */
export const warnOfMisspelt: Effect.Effect<void> = Effect.flatMap(listed, (names) => {
  const known = variables.map(({ name }) => name).filter((name) => name.startsWith(prefix))
  const bare = known.map((name) => name.slice(prefix.length))
  const strangers = [...new Set(names)].filter((name) => name.startsWith(prefix) && !known.includes(name))
  return Effect.forEach(
    strangers,
    (name) =>
      Option.match(nearest(name.slice(prefix.length), bare), {
        onNone: () => Effect.void,
        onSome: (meant) =>
          Effect.flatMap(readOne(name), ({ value }) =>
            Option.isNone(value)
              ? Effect.void
              : Effect.logWarning(`${name} is set, but nothing reads it. Did you mean ${prefix}${meant}?`)
          )
      }),
    { discard: true }
  )
})
