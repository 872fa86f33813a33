/** The Promise entry as it is published: a bundle, with the part of Effect that it uses inside. Built here by what builds it. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect, promisify } from "node:util"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Equal, Schema } from "effect"
import { bundle, filesAtOnce, loadedAtOnce } from "../../scripts/promise/build.js"
import { ConfigInvalid } from "../../src/Config.js"
import * as Errors from "../../src/Errors.js"
import type * as PromiseEntry from "../../src/promise.js"
import { root } from "../support/program.js"

/** In the project, so that it finds supabase-js and `#undici`. */
const scratch = join(root, ".scratch")

const folders: Array<string> = []

const made = Effect.runSync(
  Effect.cached(
    Effect.promise(async () => {
      await mkdir(scratch, { recursive: true })
      const folder = await mkdtemp(join(scratch, "promise-entry-"))
      folders.push(folder)
      const { metafile } = await bundle(folder)
      const entry: typeof PromiseEntry = await import(pathToFileURL(join(folder, "promise.js")).href)
      return { entry, folder, metafile }
    })
  )
)

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

/** Of every class, with what it is made of. */
const samples: ReadonlyArray<readonly [name: keyof typeof PromiseEntry, error: Error & { readonly _tag: string }]> = [
  [
    "AcquireTimeout",
    new Errors.AcquireTimeout({
      pool: "read",
      waited: Duration.seconds(30),
      active: 1,
      max: 1,
      pending: 3,
      longestHeld: Duration.zero
    })
  ],
  ["PoolOverloaded", new Errors.PoolOverloaded({ pool: "write", pending: 2, maxPending: 2 })],
  [
    "ConnectionFailed",
    new Errors.ConnectionFailed({ pool: "read", origin: "http://x", failure: "refused", code: "E", sent: false })
  ],
  ["RequestTimeout", new Errors.RequestTimeout({ pool: "read", timeout: Duration.seconds(1), sent: true })],
  [
    "ConnectionReclaimed",
    new Errors.ConnectionReclaimed({ pool: "read", connectionId: "read-1", held: Duration.seconds(60), sent: false })
  ],
  [
    "QueryError",
    new Errors.QueryError({ code: "23505", reason: "taken", details: "Key (a)=(b)", hint: "", status: 409 })
  ],
  ["RowNotFound", new Errors.RowNotFound({ table: "products", details: "" })],
  ["DecodeError", new Errors.DecodeError({ table: "products", id: "1", path: "price", issue: "no number" })],
  ["ReadOnlyConnection", new Errors.ReadOnlyConnection({ method: "POST", path: "/rest/v1/products" })],
  ["RateLimited", new Errors.RateLimited({ key: "all", retryAfter: Duration.seconds(1) })],
  [
    "TransactionFailed",
    new Errors.TransactionFailed({ step: 0, operation: "insert", code: "23505", reason: "taken", hint: "" })
  ],
  [
    "GuardFailed",
    new Errors.GuardFailed({ step: 1, operation: "update products", id: "1", column: "stock", guard: "at least 2" })
  ],
  ["PoolClosed", new Errors.PoolClosed({ pool: "read", sent: false })],
  ["ConfigInvalid", new ConfigInvalid({ mistakes: [{ variable: "A", problem: "none", remedy: "set it" }] })]
]

/** The same error, made by the entry's own class. */
const ofEntry = (entry: typeof PromiseEntry, name: keyof typeof PromiseEntry, like: object): Error => {
  // What is printed nowhere is in no copy either.
  const hidden = ["reason", "details"]
    .filter((field) => field in like)
    .map((field) => [field, Reflect.get(like, field)])
  const error: unknown = Reflect.construct(Object(entry[name]), [{ ...like, ...Object.fromEntries(hidden) }])
  if (!(error instanceof Error)) throw new Error(`${name} is no class of errors`)
  return error
}

/** Without the addresses of the files that it came from. */
const shown = (error: Error): string => inspect(error, { depth: 4 }).replaceAll(/\n +at .*/g, "")

describe("an error of the published Promise entry", () => {
  for (const [name, like] of samples) {
    it.effect(`${name} says, holds and shows what that of Db does, and each is an instance of the other's class`, () =>
      Effect.gen(function* () {
        const { entry } = yield* made
        const error = ofEntry(entry, name, like)
        assert.notStrictEqual(Object.getPrototypeOf(error), Object.getPrototypeOf(like))
        assert.strictEqual(error.message, like.message)
        assert.strictEqual(error.name, like.name)
        assert.deepStrictEqual(Object.keys(error), Object.keys(like))
        assert.deepStrictEqual(JSON.stringify(error), JSON.stringify(like))
        assert.strictEqual(shown(error), shown(like))
        assert.isTrue(error instanceof like.constructor)
        assert.isTrue(like instanceof Object(entry[name]))
        for (const [other, { constructor: ofDb }] of samples) {
          if (other === name) continue
          assert.isFalse(error instanceof ofDb, `${name} is no ${other}`)
          assert.isFalse(like instanceof Object(entry[other]), `${name} is no ${other}`)
        }
      })
    )
  }

  it.effect("is known to isDbError, to Schema, and to catchTag", () =>
    Effect.gen(function* () {
      const { entry } = yield* made
      const like = new Errors.PoolClosed({ pool: "read", sent: false })
      const error = ofEntry(entry, "PoolClosed", like)
      assert.isTrue(Errors.isDbError(error))
      assert.isTrue(Schema.is(Errors.PoolClosed)(error))
      assert.isTrue(Equal.equals(error, ofEntry(entry, "PoolClosed", like)))
      const caught = yield* Effect.fail(error).pipe(
        Effect.filterOrFail(Errors.isDbError),
        Effect.catchAll((failed) => (Errors.isDbError(failed) ? Effect.fail(failed) : Effect.die(failed))),
        Effect.catchTag("PoolClosed", ({ pool }) => Effect.succeed(pool))
      )
      assert.strictEqual(caught, "read")
    })
  )

  it("is no instance of a class that somebody derived", () => {
    class Mine extends Errors.PoolClosed {}
    assert.isFalse(new Errors.PoolClosed({ pool: "read", sent: false }) instanceof Mine)
    assert.isTrue(new Mine({ pool: "read", sent: false }) instanceof Errors.PoolClosed)
  })
})

describe("the published Promise entry", () => {
  it.effect("rejects with errors of its own classes and of Db's", () =>
    Effect.gen(function* () {
      const { entry } = yield* made
      const database = entry.createDatabase({
        url: "http://127.0.0.1:9",
        anonKey: "a",
        serviceRoleKey: "b",
        maxRetries: 0
      })
      const failure: unknown = yield* Effect.promise(() =>
        database
          .executeWithPool((client) => client.from("products").select("id"))
          .then(
            () => undefined,
            (error: unknown) => error
          )
      )
      yield* Effect.promise(() => database.close())
      assert.instanceOf(failure, Errors.ConnectionFailed)
      assert.isTrue(failure instanceof Object(entry.ConnectionFailed))
    })
  )

  it.effect("loads no schemas, no undici and no marketplace at once, and at most 530 kB", () =>
    Effect.gen(function* () {
      const { metafile } = yield* made
      const loaded = loadedAtOnce(metafile)
      const left = [...loaded].filter(([, bytes]) => bytes > 0).map(([path]) => path)
      assert.isAbove(left.length, 100)
      assert.deepStrictEqual(
        left.filter((path) =>
          /effect\/dist\/esm\/(Schema|SchemaAST|ParseResult)\.js$|undici|src\/Marketplace/.test(path)
        ),
        []
      )
      assert.isAtMost(
        [...loaded.values()].reduce((all, bytes) => all + bytes, 0),
        530_000
      )
    })
  )

  it.effect("imports nothing but supabase-js, undici and what Node has", () =>
    Effect.gen(function* () {
      const { metafile } = yield* made
      const named = Object.values(metafile.outputs).flatMap(({ imports }) =>
        imports.filter(({ external }) => external).map(({ path }) => path)
      )
      assert.deepStrictEqual([...new Set(named.filter((path) => !path.startsWith("node:")))].sort(), [
        "#undici",
        "@supabase/supabase-js"
      ])
    })
  )

  it.effect(
    "loads of Node what each process has, contexts and channels: no cryptography, compression, files or sockets",
    () =>
      Effect.gen(function* () {
        const { folder, metafile } = yield* made
        const { outputs } = metafile
        const atOnce = [...filesAtOnce(metafile)].flatMap((path) =>
          (outputs[path]?.imports ?? []).filter(
            ({ external, kind }) => external === true && kind === "import-statement"
          )
        )
        assert.deepStrictEqual([...new Set(atOnce.map(({ path }) => path))].sort(), [
          "@supabase/supabase-js",
          "node:async_hooks",
          "node:diagnostics_channel"
        ])
        // What a process has loaded by itself and by supabase-js, and then by the entry.
        const code = `
        await import("@supabase/supabase-js")
        const before = new Set(process.moduleLoadList)
        const entry = await import(${JSON.stringify(pathToFileURL(join(folder, "promise.js")).href)})
        entry.table("t"), entry.Transaction.atLeast(1), entry.withAccessToken(() => "t")
        const loaded = process.moduleLoadList.filter((each) => !before.has(each))
        // Which looks for the standard output, perhaps a socket.
        console.log(JSON.stringify(loaded))`
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], { cwd: root })
        )
        const loaded: ReadonlyArray<string> = JSON.parse(stdout)
        assert.isAbove(loaded.length, 0)
        const late =
          /^NativeModule (?:internal\/)?(?:crypto|zlib|fs\/promises|net|tls|_tls\w+|dns|https?|http2|_http\w+|child_process)\b/
        assert.deepStrictEqual(
          loaded.filter((each) => late.test(each)),
          []
        )
      })
  )
})
