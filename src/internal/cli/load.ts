import { Command, Options } from "@effect/cli"
import { Console, Duration, Effect, Layer, Logger, LogLevel, Option } from "effect"
import * as Config from "../../Config.js"
import * as Db from "../../Db.js"
import * as Pool from "../../Pool.js"
import { drive } from "../load/drive.js"
import { type LoadOperation, own, theirs } from "../load/loadOperations.js"
import * as Server from "../load/server.js"
import { isSound, type PresetName, targets, textOf, type Verdict, verdict } from "../load/verdict.js"
import { printableJson } from "../shared/printable.js"
import { Failed } from "./failed.js"
import * as Given from "./given.js"
import * as Numbers from "./numbers.js"

const presets = ["development", "production", "highLoad"] as const

const poolOptions = { development: Config.development, production: Config.production, highLoad: Config.highLoad }

const options = {
  preset: Given.choice("preset", "a preset", presets).pipe(
    Options.withDescription("one preset; default: all three, one after the other"),
    Options.optional
  ),
  rate: Given.option("rate", Numbers.perSecond).pipe(
    Options.withDescription(
      "arrivals per second; default: the preset's target, or what the server can carry if that is less"
    ),
    Options.optional
  ),
  duration: Given.option("duration", Numbers.seconds).pipe(
    Options.withDescription("seconds for which callers arrive, per preset; default: 10"),
    Options.withDefault(10)
  ),
  json: Options.boolean("json").pipe(Options.withDescription("print the results as one line of JSON")),
  postgres: Options.boolean("postgres").pipe(
    Options.withDescription("test the same API over a real PostgreSQL server, started on loopback")
  ),
  fixed: Options.boolean("static").pipe(
    Options.withDescription("test a local server that answers at once: what the pool itself carries")
  )
}

const layer = (server: Server.Server, preset: PresetName) =>
  Db.layer.pipe(
    Layer.provide(
      Layer.merge(
        Layer.succeed(Config.SupabaseConfig, server.supabase),
        Layer.succeed(Config.PoolConfig, poolOptions[preset])
      )
    )
  )

/** Operations per second in a closed loop, with as many callers as there are connections. */
const capacity = (operation: LoadOperation, period: Duration.DurationInput) =>
  Effect.gen(function* () {
    const { max } = yield* (yield* Pool.ReadPool).metrics
    let done = 0
    const caller = (n: number) =>
      Effect.forever(
        Effect.tap(Effect.exit(operation(n)), () => {
          done += 1
        })
      )
    const callers = Effect.forEach(
      Array.from({ length: max }, (_, n) => n),
      caller,
      { concurrency: "unbounded", discard: true }
    )
    const [took] = yield* Effect.timed(Effect.timeoutOption(callers, period))
    return (done * 1_000) / Duration.toMillis(took)
  })

/** Each arrival is kept until the end, to measure from it. */
const mostArrivals = 5_000_000

type Chosen = Command.Command.ParseConfig<typeof options>

/** Combinations that are refused although each option is valid. */
const refusal = ({ duration, fixed, postgres, rate }: Chosen): Option.Option<Failed> => {
  if (fixed && postgres) {
    return Option.some(
      new Failed({
        reason:
          "--static --postgres cannot be combined: a load test has one server. Nothing was started. Give one of them."
      })
    )
  }
  return Option.map(
    Option.filter(rate, (perSecond) => perSecond * duration > mostArrivals),
    (perSecond) =>
      new Failed({
        reason: `--rate ${perSecond} for --duration ${duration} are more than ${mostArrivals} callers, which would fill the memory. Nothing was started. Give a lower --rate or a shorter --duration.`
      })
  )
}

interface Subject {
  readonly server: Server.Server
  readonly operation: LoadOperation
}

/** The environment's project, or a local server if one is requested or there is no project. */
const subjectOf = ({ fixed, postgres }: Chosen) =>
  Effect.gen(function* () {
    const { supabase } = yield* Config.load
    if (Option.isSome(supabase) && !fixed && !postgres) {
      const { url } = supabase.value
      return { server: { what: `the project at ${url}`, supabase: supabase.value }, operation: theirs }
    }
    yield* Console.error("starting a server for the load test")
    return { server: yield* fixed ? Server.fixed : postgres ? Server.postgres : Server.embedded, operation: own }
  })

const run = (preset: PresetName, { operation, server }: Subject, { duration, rate }: Chosen): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const target = targets[preset].throughput
    // The first second finds a server that is still warming up.
    yield* capacity(operation, "1 second")
    const carried = Option.isSome(rate) ? undefined : yield* capacity(operation, "2 seconds")
    const chosen = Option.getOrElse(rate, () => Math.max(1, Math.min(target, 0.7 * (carried ?? target))))
    if (chosen < target && carried !== undefined) {
      yield* Console.error(
        `${preset}: this server carries ${carried.toFixed(0)} per second; callers arrive at 70 % of that`
      )
    }
    const millis = duration * 1_000
    return verdict(
      yield* drive({ preset, rate: chosen, carried, duration: millis, operation, progress: Console.error })
    )
  }).pipe(Effect.provide(layer(server, preset)))

const missesAreNoFailure =
  "Nothing was lost: exit code 0. A missed target does not change the exit code: it depends on the server as much as on the pool."

const report = ({ what }: Server.Server, found: ReadonlyArray<Verdict>, json: boolean): string => {
  const sound = found.every(isSound)
  return json
    ? printableJson(JSON.stringify({ server: what, sound, presets: found }))
    : [`Server: ${what}`, ...found.map(textOf), ...(sound ? [missesAreNoFailure] : [])].join("\n\n")
}

export const load = Command.make("load", options, (given) =>
  Effect.scoped(
    Effect.gen(function* () {
      const refused = refusal(given)
      if (Option.isSome(refused)) return yield* refused.value
      const subject = yield* subjectOf(given)
      yield* Console.error(`against the ${subject.server.what.replace(/^the /, "")}`)
      const names = Option.match(given.preset, { onNone: () => presets, onSome: (name) => [name] })
      const found = yield* Effect.forEach(names, (name) => run(name, subject, given))
      yield* Console.log(report(subject.server, found, given.json))
      if (!found.every(isSound)) {
        return yield* new Failed({ reason: "An operation was lost, or a connection was not returned: that is a bug." })
      }
    }).pipe(Logger.withMinimumLogLevel(LogLevel.Warning))
  )
).pipe(
  Command.withDescription(
    "Drives the pool with callers that arrive whether or not earlier ones have been answered. With SUPABASE_URL it reads from that project (and needs the migration there); without, it starts the embedded Supabase. Exit code 1 when an operation was lost or a connection was not returned; a missed target does not change it."
  )
)
