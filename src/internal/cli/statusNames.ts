/**
 * The names of `supabase status -o env` (Supabase CLI). They are general (`API_URL` may be anybody's), so no pool reads them: `check`
 * does where ours are not set, and says how to have ours.
 */
import { Config, ConfigProvider, Effect, identity, Option } from "effect"
import { urlNames } from "../config/supabase.js"
import { type Finding, warning } from "./findings.js"

/** Ours, what the tool calls it, and the key by which the tool renames it; new keys first, as everywhere. */
const names = [
  { ours: "SUPABASE_URL", theirs: "API_URL", key: "api.url" },
  { ours: "SUPABASE_PUBLISHABLE_KEY", theirs: "PUBLISHABLE_KEY", key: "auth.publishable_key" },
  { ours: "SUPABASE_ANON_KEY", theirs: "ANON_KEY", key: "auth.anon_key" },
  { ours: "SUPABASE_SECRET_KEY", theirs: "SECRET_KEY", key: "auth.secret_key" },
  { ours: "SUPABASE_SERVICE_ROLE_KEY", theirs: "SERVICE_ROLE_KEY", key: "auth.service_role_key" }
]

const variable = (name: string): Effect.Effect<string | undefined> =>
  Effect.map(Effect.option(Config.nonEmptyString(name)), Option.getOrUndefined)

export interface Status {
  /** Those that stand in for ours; none where ours are set. */
  readonly used: ReadonlyArray<(typeof names)[number]>
  readonly provide: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const fromStatus: Effect.Effect<Status> = Effect.gen(function* () {
  const given = yield* Effect.forEach(names, (name) =>
    Effect.map(variable(name.theirs), (value) => ({ ...name, value }))
  )
  const ours = yield* Effect.forEach([...urlNames, ...names.map((name) => name.ours)], variable)
  const [address] = given
  if (ours.some((value) => value !== undefined) || address?.value === undefined) {
    return { used: [], provide: identity }
  }
  const found = given.flatMap(({ ours: name, value }) => (value === undefined ? [] : [[name, value] as const]))
  const provider = yield* Effect.configProviderWith(Effect.succeed)
  const both = ConfigProvider.orElse(ConfigProvider.fromMap(new Map(found)), () => provider)
  return {
    used: given.filter(({ value }) => value !== undefined),
    provide: (effect) => Effect.withConfigProvider(effect, both)
  }
})

export const statusNames = ({ used }: Status): ReadonlyArray<Finding> =>
  used.length === 0
    ? []
    : [
        warning(
          "names",
          `${used.map(({ theirs }) => theirs).join(", ")} are the names of \`supabase status -o env\`, which only this check reads`,
          `\`supabase status -o env ${used.map(({ key, ours }) => `--override-name ${key}=${ours}`).join(" ")}\` writes those that the pools read.`
        )
      ]
