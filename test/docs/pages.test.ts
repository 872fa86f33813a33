import { readdir, readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Either, LogLevel, Option } from "effect"
import * as Config from "../../src/Config.js"
import { ConnectionFailure, DbError } from "../../src/Errors.js"
import { migrationFile } from "../../src/internal/transaction/run.js"
import { embedded } from "../support/embedded.js"
import { root, runCode } from "../support/program.js"

const page = (name: string): Effect.Effect<string> => Effect.promise(() => readFile(`${root}docs/${name}`, "utf8"))

const configuration = page("configuration.md")

/** From a heading to the next. */
const section = (text: string, heading: string): string =>
  text.split(/^#{1,6} /m).find((part) => part.startsWith(`${heading}\n`)) ?? ""

const accepts = (option: keyof Config.PoolOptions, value: number): boolean =>
  // As large a maximum as there can be, so that only the minimum's own limit is met.
  Either.isRight(Config.poolOptions({ maxConnections: 10_000, [option]: value }))

const inMillis = (text: string): number => {
  const [amount, unit] = text.split(" ")
  const units: Readonly<Record<string, number>> = { s: 1_000, min: 60_000 }
  return Number(amount) * (units[unit ?? ""] ?? 1)
}

const plain = (value: unknown): unknown => (Duration.isDuration(value) ? Duration.toMillis(value) : value)

describe("docs/configuration.md", () => {
  it.effect("has a section for each variable, but for those that are read instead of another", () =>
    Effect.gen(function* () {
      const text = yield* configuration
      for (const { meaning, name } of Config.variables) {
        if (meaning.startsWith("read where")) assert.include(text, `\`${name}\``)
        else assert.notStrictEqual(section(text, `\`${name}\``), "", name)
      }
    })
  )

  it.effect("has every variable in one table, with its default and its meaning", () =>
    Effect.gen(function* () {
      const table = section(yield* configuration, "All variables").replace(/ +\|/g, " |")
      for (const { default: standard, meaning, name } of Config.variables) {
        assert.include(table, `| \`${name}\` | ${Option.getOrElse(standard, () => "–")} | ${meaning} |`)
      }
    })
  )

  it.effect("names each option's default, and the lowest and the highest value that are taken", () =>
    Effect.gen(function* () {
      const text = yield* configuration
      for (const variable of Config.variables) {
        const option = Option.getOrUndefined(variable.option)
        if (option === undefined) continue
        const said = /^`(\w+)` · default (\S.*?)(?: · lowest (.*?))?(?: · highest (\d+))?$/m.exec(
          section(text, `\`${variable.name}\``)
        )
        assert.deepStrictEqual([said?.[1], said?.[2]], [option, Option.getOrUndefined(variable.default)], variable.name)
        const [, , , lowest, highest] = said ?? []
        if (["boolean", "string"].includes(typeof plain(Config.production[option])) || said?.[2] === "none") {
          assert.isUndefined(lowest)
          continue
        }
        const bound = Number.parseInt(lowest ?? "", 10)
        assert.isTrue(accepts(option, bound), `${variable.name} takes ${bound}`)
        const off = lowest?.endsWith("or 0 to turn it off") === true
        assert.strictEqual(accepts(option, 0), off || bound === 0, `${variable.name} and 0`)
        if (bound > 1) assert.isFalse(accepts(option, bound - 1), `${variable.name} refuses less than ${bound}`)
        if (lowest?.includes("ms") === true) {
          assert.isFalse(accepts(option, 0.5))
          assert.isTrue(accepts(option, 24.8 * 86_400_000) && !accepts(option, 24.9 * 86_400_000))
        } else {
          assert.isTrue(accepts(option, Number(highest)), `${variable.name} takes ${highest}`)
          assert.isFalse(accepts(option, Number(highest) + 1), `${variable.name} refuses more than ${highest}`)
        }
      }
    })
  )

  it.effect("names each level of the log, and nothing that is refused", () =>
    Effect.gen(function* () {
      const told = section(yield* configuration, "`LOG_LEVEL`").split("The log goes")[0] ?? ""
      const names = [...told.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? "").filter((name) => name !== "LOG_LEVEL")
      const levels = yield* Effect.forEach(["info", ...names], (level) =>
        Effect.map(
          Effect.withConfigProvider(Config.load, ConfigProvider.fromMap(new Map([["LOG_LEVEL", level]]))),
          ({ server }) => server.logLevel
        )
      )
      assert.sameMembers(
        levels,
        LogLevel.allLevels.filter((level) => level !== LogLevel.All)
      )
    })
  )

  it.effect("shows what the presets differ in, and nothing else of them differs", () =>
    Effect.gen(function* () {
      const presets: Readonly<Record<string, Config.PoolOptions>> = {
        production: Config.production,
        development: Config.development,
        highLoad: Config.highLoad,
        low: Config.optimized("low"),
        medium: Config.optimized("medium"),
        high: Config.optimized("high"),
        extreme: Config.optimized("extreme")
      }
      const rows = section(yield* configuration, "Presets")
        .split("\n")
        .filter((line) => line.startsWith("| "))
        .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
      const [head = [], , ...options] = rows
      const shown = new Map(options.map((cells) => [cells[1], cells]))
      for (const [at, name] of head.entries()) {
        const preset = presets[name]
        if (preset === undefined) continue
        for (const [option, value] of Object.entries(preset)) {
          const cell = shown.get(option)?.[at]
          const expected = Object.entries(Config.production).find(([other]) => other === option)?.[1]
          if (cell === undefined) assert.deepStrictEqual(plain(value), plain(expected), `${option} of ${name}`)
          else
            assert.strictEqual(
              typeof value === "boolean" ? cell === "true" : inMillis(cell),
              plain(value),
              `${option} of ${name}`
            )
        }
      }
      assert.sameMembers(Object.keys(presets), head.slice(2, -1))
    })
  )
})

describe("docs/troubleshooting.md", () => {
  it.effect("knows every error", () =>
    Effect.gen(function* () {
      const text = yield* page("troubleshooting.md")
      for (const { _tag } of DbError.members) assert.include(text, `\`${_tag}\``)
    })
  )

  it.effect("knows every failure to connect", () =>
    Effect.gen(function* () {
      const rows = section(yield* page("troubleshooting.md"), "The database cannot be reached")
        .split("\n")
        .filter((line) => line.startsWith("| `"))
        .slice(1)
        .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name))
      assert.sameMembers(rows, [...ConnectionFailure.literals])
    })
  )
})

/** The blocks that begin with "ts run", and what the block of text after each says that they print. */
const programs = (text: string): ReadonlyArray<{ readonly code: string; readonly prints: string }> =>
  [...text.matchAll(/```ts run\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)].map((match) => ({
    code: match[1] ?? "",
    prints: match[2] ?? ""
  }))

describe("docs", () => {
  it.live(
    "has programs that run as they stand and print what is said below them",
    () =>
      Effect.gen(function* () {
        const names = (yield* Effect.promise(() => readdir(`${root}docs`))).filter((name) => name.endsWith(".md"))
        const texts = yield* Effect.forEach(names, page)
        const shown = texts.flatMap(programs)
        assert.strictEqual(shown.length, texts.join("\n").match(/^```ts run$/gm)?.length)
        yield* Effect.forEach(
          shown,
          ({ code, prints }) =>
            Effect.gen(function* () {
              const { failed, output } = yield* runCode(code, {
                SUPABASE_URL: embedded.url,
                SUPABASE_ANON_KEY: embedded.anonKey,
                SUPABASE_SERVICE_ROLE_KEY: embedded.serviceRoleKey
              })
              assert.isFalse(failed, output)
              assert.include(output, prints)
            }).pipe(Effect.scoped),
          { concurrency: 2 }
        )
      }),
    90_000
  )
})

describe("the transaction function", () => {
  it.effect("is named by its newest file, in pages and in examples", () =>
    Effect.gen(function* () {
      const files = yield* Effect.promise(() => readdir(`${root}examples`, { recursive: true }))
      const pages = yield* Effect.promise(() => readdir(`${root}docs`))
      const paths = [...files.map((name) => `examples/${name}`), ...pages.map((name) => `docs/${name}`)]
      const named = yield* Effect.forEach(
        paths.filter((path) => /\.(ts|md)$/.test(path) && !path.includes("node_modules")),
        (path) => Effect.promise(() => readFile(`${root}${path}`, "utf8"))
      )
      const names = named.flatMap((text) =>
        [...text.matchAll(/(?<!version \d \(`)\d{14}_supabase_pool\.sql/g)].map(([name]) => name)
      )
      assert.deepStrictEqual([...new Set(names)], [migrationFile])
    })
  )
})
