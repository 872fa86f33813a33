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

/** The usage of the command that `args` begin with; without a command, a pointer to the help. */
const usageFor = ([name = ""]: ReadonlyArray<string>): string =>
  Option.match(HashMap.get(Command.getSubcommands(command), name), {
    onNone: () => "`supabase-pool --help` describes each command.",
    onSome: (called) => {
      const usage = HelpDoc.toAnsiText(Usage.getHelp(CommandDescriptor.getUsage(called)))
      return `Usage: supabase-pool ${stripVTControlCharacters(usage).trim()}`
    }
  })

/**
 * A message for people on standard error, for every failure. The parser has already said what is wrong in the arguments, but
 * not what is allowed.
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

/** With `--help` first, the usage of a command shows its full name: `supabase-pool serve`. */
const helpFirst = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.some(isHelp) ? ["--help", ...args] : args

/** The parser's help text for any option whose value we parse ourselves. */
const ofAnyText = /^ *A user-defined piece of text\.\n+/gm

const tidied = <A, E, R>(help: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Console.consoleWith(Effect.succeed), (console) =>
    Effect.withConsole(help, { ...console, log: (text) => console.log(String(text).replaceAll(ofAnyText, "")) })
  )

const everywhere = "--help, --version and --completions SHELL (bash, fish, sh or zsh) work with every command."

const variableLine = ({ default: standard, meaning, name }: (typeof variables)[number]): string =>
  `${name}: ${meaning}${Option.match(standard, { onNone: () => "", onSome: (value) => `; default: ${value}` })}`

/** The variables below the general help; below a command's help, a pointer to them. */
const footer = (args: ReadonlyArray<string>): HelpDoc.HelpDoc =>
  args.every((arg) => arg.startsWith("-"))
    ? HelpDoc.blocks([
        HelpDoc.h1("ENVIRONMENT"),
        HelpDoc.p("Durations are milliseconds or have a unit (30 seconds)."),
        HelpDoc.blocks(Arr.map(variables, (variable) => HelpDoc.p(variableLine(variable)))),
        HelpDoc.p(everywhere)
      ])
    : HelpDoc.p(`${everywhere} \`supabase-pool --help\` lists the environment variables.`)

/** Prints the reason and then fails, so that the process exits with 1. */
export const run = (args: ReadonlyArray<string>) =>
  Command.run(command, { name: "supabase-pool", version, footer: footer(args) })([
    // Placeholders for the runtime and the script, which the parser expects.
    "",
    "",
    ...helpFirst(args)
  ]).pipe(
    // The footer describes the built-in options once.
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    args.some(isHelp) ? tidied : identity,
    Effect.tapErrorCause((cause) => report(cause, args))
  )
