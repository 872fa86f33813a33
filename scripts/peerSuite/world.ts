/** The suite's own tables and rows, in an embedded database. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { type RunningEmbedded, startEmbedded } from "../../src/embedded.js"

/** Where the suite keeps its SQL: today's folder, and that of the years in its own repository. */
const places: ReadonlyArray<readonly [migrations: string, seed: string]> = [
  ["test/supabase/migrations", "test/supabase/seed.sql"],
  ["test/db/00-schema.sql", "test/db/01-dummy-data.sql"]
]

/** `alter role authenticator` wants one; PGlite has no PostGIS, and of the geometry the suite reads the text only. */
const before = "do $$ begin create role authenticator noinherit; exception when duplicate_object then null; end $$;"

const withoutPostgis = (sql: string): string =>
  sql
    .replaceAll(/create extension[^;]*postgis[^;]*;/gi, "")
    .replaceAll(/(?:extensions\.)?geometry\(POINT, 4326\)/gi, "text")

const read = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined)

const textsAt = async (path: string): Promise<ReadonlyArray<string>> => {
  const names = await readdir(path).catch(() => undefined)
  const paths = names === undefined ? [path] : names.sort().map((name) => join(path, name))
  const texts = await Promise.all(paths.map(read))
  return texts.flatMap((text) => (text === undefined ? [] : [withoutPostgis(text)]))
}

export interface World {
  readonly migrations: ReadonlyArray<string>
  readonly seed: string
}

/** `undefined` where the folder holds no suite of postgrest-js. */
export const worldOf = async (checkout: string): Promise<World | undefined> => {
  for (const [migrations, seed] of places) {
    const texts = await textsAt(join(checkout, migrations))
    const rows = await read(join(checkout, seed))
    if (texts.length > 0 && rows !== undefined) return { migrations: [before, ...texts], seed: `${rows}\n` }
  }
  return undefined
}

/** A new one has no memory of the run before: each way is asked in the same state. */
export const start = ({ migrations, seed }: World, port: number): Promise<RunningEmbedded> =>
  startEmbedded({ migrations, seed, port })
