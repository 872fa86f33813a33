import { stripVTControlCharacters } from "node:util"
import { CliConfig, Command, CommandDescriptor, HelpDoc, Options, Usage, ValidationError } from "@effect/cli"
import { Array as Arr, Cause, Console, Effect, HashMap, identity, Option } from "effect"
import { variables } from "../../Config.js"
import { serve as server } from "../server/serve.js"
import { version } from "../shared/version.js"
import { check } from "./check.js"
import { embedded } from "./embedded.js"
import { SaidAlready } from "./failed.js"
import * as Given from "./given.js"
import { load } from "./load.js"
import { migration } from "./migration.js"
import * as Numbers from "./numbers.js"
import { lastWords } from "./terminal.js"
import { top } from "./top/command.js"

const callers = Given.option("load", Numbers.perSecond).pipe(
  Options.withDescription(
    "also make this many callers per second, so that the dashboard has something to show; default: none"
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

/** How the command is called that `args` begin with; without one, where to read of all of them. */
const usageFor = ([name = ""]: ReadonlyArray<string>): string =>
  Option.match(HashMap.get(Command.getSubcommands(command), name), {
    onNone: () => "`supabase-pool --help` describes each command.",
    onSome: (called) => {
      const usage = HelpDoc.toAnsiText(Usage.getHelp(CommandDescriptor.getUsage(called)))
      return `Usage: supabase-pool ${stripVTControlCharacters(usage).trim()}`
    }
  })

/**
 * A message for people on standard error, whatever failed. The parser has said already what is wrong in the arguments,
 * but not what may be in its place.
 */
export const report = (cause: Cause.Cause<unknown>, args: ReadonlyArray<string>): Effect.Effect<void> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => lastWords(cause),
    onSome: (error) => {
      if (ValidationError.isValidationError(error)) return Console.error(`Nothing was started. ${usageFor(args)}`)
      return error instanceof SaidAlready ? Effect.void : lastWords(cause)
    }
  })

const isHelp = (arg: string): boolean => arg === "--help" || arg === "-h"

/** Help that is asked of the whole first names the whole in the usage of a command: `supabase-pool serve`. */
const helpFirst = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.some(isHelp) ? ["--help", ...args] : args

/** What the parser's help says of an option whose value we read ourselves, whatever its type is. */
const ofAnyText = /^ *A user-defined piece of text\.\n+/gm

const tidied = <A, E, R>(help: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Console.consoleWith(Effect.succeed), (console) =>
    Effect.withConsole(help, { ...console, log: (text) => console.log(String(text).replaceAll(ofAnyText, "")) })
  )

const everywhere = "--help, --version and --completions SHELL (bash, fish, sh or zsh) work with every command."

const variableLine = ({ default: standard, meaning, name }: (typeof variables)[number]): string =>
  `${name}: ${meaning}${Option.match(standard, { onNone: () => "", onSome: (value) => `; default: ${value}` })}`

/** The variables below the help of the whole; below that of a command, where to read of them. */
const footer = (args: ReadonlyArray<string>): HelpDoc.HelpDoc =>
  args.every((arg) => arg.startsWith("-"))
    ? HelpDoc.blocks([
        HelpDoc.h1("ENVIRONMENT"),
        HelpDoc.p("Durations are milliseconds or have a unit (30 seconds)."),
        HelpDoc.blocks(Arr.map(variables, (variable) => HelpDoc.p(variableLine(variable)))),
        HelpDoc.p(everywhere)
      ])
    : HelpDoc.p(`${everywhere} \`supabase-pool --help\` lists the environment variables.`)

/** Fails after it has said why, so that the process ends with 1. */
export const run = (args: ReadonlyArray<string>) =>
  Command.run(command, { name: "supabase-pool", version, footer: footer(args) })([
    // In place of the runtime and the script, which the parser takes for granted.
    "",
    "",
    ...helpFirst(args)
  ]).pipe(
    // What every command has is said once, below.
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    args.some(isHelp) ? tidied : identity,
    Effect.tapErrorCause((cause) => report(cause, args))
  )
