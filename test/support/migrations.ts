import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { migrationsDirectory } from "../../src/embedded.js"

const texts = async (directory: string): Promise<ReadonlyArray<string>> => {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".sql")).sort()
  return Promise.all(names.map((name) => readFile(join(directory, name), "utf8")))
}

/** The project's migrations and the tests' own. */
export const allMigrations = async (): Promise<ReadonlyArray<string>> => [
  ...(await texts(migrationsDirectory)),
  ...(await texts(fileURLToPath(new URL("./sql", import.meta.url))))
]
