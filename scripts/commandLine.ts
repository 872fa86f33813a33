import process from "node:process"
import { type ParseArgsConfig, parseArgs } from "node:util"

type Parsed<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>

const asksForHelp = (): boolean =>
  parseArgs({ strict: false, options: { help: { type: "boolean", short: "h" } } }).values.help === true

/**
 * What one of our own programs is given. `--help` ends it with the help and 0, wherever it stands; what cannot be ends it
 * with 2 before anything has begun, and is named above the help. `refuse` does the same for a value that the program reads.
 */
export const commandLine = <T extends ParseArgsConfig>(
  help: string,
  config: T
): Parsed<T> & { readonly refuse: (message: string) => never } => {
  const refuse = (message: string): never => {
    process.stderr.write(`${message}\n\n${help}\n`)
    process.exit(2)
  }
  if (asksForHelp()) {
    process.stdout.write(`${help}\n`)
    process.exit(0)
  }
  try {
    return { ...parseArgs(config), refuse }
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}
