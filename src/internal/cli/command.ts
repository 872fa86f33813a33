import { CliConfig, Command, HelpDoc, Options, ValidationError } from "@effect/cli"
import { Array as Arr, Cause, Effect, Option } from "effect"
import { variables } from "../../Config.js"
import { serve as server } from "../serve.js"
import { lastWords } from "../terminal.js"
import { version } from "../version.js"
import { check } from "./check.js"
import { embedded } from "./embedded.js"
import { SaidAlready } from "./failed.js"
import { load } from "./load.js"
import { migration } from "./migration.js"
import * as Numbers from "./numbers.js"
import { top } from "./top/command.js"

const callers = Options.integer("load").pipe(
  Numbers.within("load", Numbers.perSecond),
  Options.withDescription(
    "also make so many callers per second, so that the dashboard has something to show; default: none"
  ),
  Options.optional
)

const serve = Command.make("serve", { load: callers }, (options) =>
  server({ load: Option.getOrUndefined(options.load) })
).pipe(
  Command.withDescription(
    "Opens the pools and serves health over HTTP until it is stopped. Without SUPABASE_URL it starts an embedded database."
  )
)

const command = Command.make("supabase-pool").pipe(
  Command.withDescription("A connection pool for Supabase, configured by environment variables."),
  Command.withSubcommands([serve, check, migration, embedded, top, load])
)

/**
 * A message for people on standard error, whatever failed; the parser has said already what is wrong in the arguments.
 */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Option.exists(
    Cause.failureOption(cause),
    (error) => ValidationError.isValidationError(error) || error instanceof SaidAlready
  )
    ? Effect.void
    : lastWords(cause)

const isHelp = (arg: string): boolean => arg === "--help" || arg === "-h"

/** Help that is asked of the whole first names the whole in the usage of a command: `supabase-pool serve`. */
const helpFirst = ([runtime = "", script = "", ...args]: ReadonlyArray<string>): ReadonlyArray<string> => [
  runtime,
  script,
  ...(args.some(isHelp) ? ["--help"] : []),
  ...args
]

const everywhere = "--help, --version, --log-level LEVEL and --completions SHELL work with every command."

const variableLine = ({ default: standard, meaning, name }: (typeof variables)[number]): string =>
  `${name}: ${meaning}${Option.match(standard, { onNone: () => "", onSome: (value) => `; default: ${value}` })}`

/** The variables below the help of the whole; below that of a command, where to read of them. */
const footer = (argv: ReadonlyArray<string>): HelpDoc.HelpDoc =>
  argv.slice(2).every((arg) => arg.startsWith("-"))
    ? HelpDoc.blocks([
        HelpDoc.h1("ENVIRONMENT"),
        HelpDoc.p("Durations are milliseconds or have a unit (30 seconds)."),
        HelpDoc.blocks(Arr.map(variables, (variable) => HelpDoc.p(variableLine(variable)))),
        HelpDoc.p(everywhere)
      ])
    : HelpDoc.p(`${everywhere} \`supabase-pool --help\` lists the environment variables.`)

/** Fails after it has said why, so that the process ends with 1. */
export const run = (argv: ReadonlyArray<string>) =>
  Command.run(command, { name: "supabase-pool", version, footer: footer(argv) })(helpFirst(argv)).pipe(
    // What every command has is said once, below.
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    Effect.tapErrorCause(report)
  )
