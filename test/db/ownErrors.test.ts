/** What a caller throws, or gives back as an error, is the caller's own, unless the connection has heard of it. */
import { describe, expect, it } from "@effect/vitest"
import { PostgrestError, type SupabaseClient } from "@supabase/supabase-js"
import { Cause, Effect, Exit, Layer, Option, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import { createDatabase } from "../../src/promise.js"
import { lostAtCommit, page, postgrestError, rows, type Scripted, scripted } from "../support/postgrest.js"

interface Answered {
  readonly data: unknown
  readonly error: object | null
  readonly status: number
}

type Asks = (client: SupabaseClient) => Promise<Answered>

/** What became of it: a value, an error of ours, or what the caller threw. */
type Ended = { readonly value: unknown } | { readonly error: unknown } | { readonly own: unknown }

interface Way {
  readonly script: Array<Scripted>
  readonly requests: () => number
  readonly run: (asks: Asks) => Effect.Effect<Ended>
}

type Kind = "read" | "write"

const options = {
  anonKey: "an-anon-key-for-this-test",
  serviceRoleKey: "a-service-key-for-this-test",
  minConnections: 1,
  maxConnections: 2,
  maxRetries: 1,
  retryDelay: 1,
  enableHealthChecks: false
}

const served = Effect.map(scripted, ({ script, seen, url }) => ({
  script,
  url,
  requests: () => seen.filter(({ url }) => url !== "/").length
}))

const exited = Exit.match({
  onSuccess: (value: unknown): Ended => ({ value }),
  onFailure: (cause: Cause.Cause<unknown>): Ended =>
    Option.match(Cause.failureOption(cause), {
      onSome: (error): Ended => ({ error }),
      onNone: () => ({ own: Cause.squash(cause) })
    })
})

const inEffect = (kind: Kind): Effect.Effect<Way, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { requests, script, url } = yield* served
    const context = yield* Effect.orDie(Layer.build(Db.layerOf({ ...options, url })))
    const asked: (asks: Asks) => Effect.Effect<Exit.Exit<unknown, unknown>, never, Db.Db | Db.ReadDb> =
      kind === "read"
        ? (asks) => Effect.exit(Db.read(asks))
        : (asks) => Effect.exit(Db.write(asks, { idempotent: true }))
    const run = (asks: Asks) => Effect.provide(Effect.map(asked(asks), exited), context)
    return { script, requests, run }
  })

const inPromises = (kind: Kind): Effect.Effect<Way, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { requests, script, url } = yield* served
    const db = yield* Effect.acquireRelease(
      Effect.sync(() => createDatabase({ ...options, url })),
      (db) => Effect.promise(() => db.close())
    )
    const run = (asks: Asks) =>
      Effect.promise(() =>
        db.executeWithPool(asks, kind, { idempotent: true }).then(
          (value): Ended => ({ value }),
          (thrown: unknown): Ended => (Db.isDbError(thrown) ? { error: thrown } : { own: thrown })
        )
      )
    return { script, requests, run }
  })

const ways: ReadonlyArray<
  readonly [name: string, of: "effect" | "promise", way: Effect.Effect<Way, never, Scope.Scope>]
> = [
  ["Db.read", "effect", inEffect("read")],
  ["Db.write", "effect", inEffect("write")],
  ["executeWithPool to read", "promise", inPromises("read")],
  ["executeWithPool to write", "promise", inPromises("write")]
]

const own = (message: string, code: unknown) => ({ message, code })

/** All of them look like what could be tried again, or like an error of PostgREST's. */
const owns: ReadonlyArray<readonly [what: string, own: object]> = [
  ["an object with PostgreSQL's code", own("sold out", "40001")],
  ["an object with PostgREST's code", own("sold out", "PGRST001")],
  ["an object without words", own("", "")],
  ["an object with the words of another answer", own("JWT issued at future", "PGRST303")],
  ["an object whose code is a number", own("sold out", 503)],
  ["an Error with a code", Object.assign(new Error("sold out"), { code: "57P03" })],
  ["an Error of the system's", Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })],
  ["one row that is none", { ...own("no user", "PGRST116"), details: "Results contain 0 rows", hint: null }],
  ["words alone", { message: "sold out" }],
  ["PostgREST's four words", { message: "sold out", code: "53300", details: null, hint: null }],
  [
    "an error of postgrest-js's class",
    new PostgrestError({ message: "sold out", code: "40001", details: "", hint: "" })
  ],
  ["what a builder makes of a failed fetch", { message: "TypeError: fetch failed", code: "", details: "", hint: "" }],
  [
    "what cannot be looked into",
    {
      get message(): string {
        throw new RangeError("no")
      }
    }
  ]
]

/** What the function has heard before it throws. */
const before: ReadonlyArray<readonly [what: string, script: ReadonlyArray<Scripted>]> = [
  ["nothing was asked", []],
  ["a good answer", [rows({ id: 1 })]],
  ["a bad answer", [postgrestError(503, "PGRST001", "no connection to the server")]]
]

describe("what a caller throws of its own", () => {
  for (const [name, , way] of ways) {
    for (const [heard, script] of before) {
      it.scopedLive(`stays its own and is not repeated: ${name}, after ${heard}`, () =>
        Effect.gen(function* () {
          const { requests, run, script: next } = yield* way
          for (const [what, thrown] of owns) {
            const sofar = requests()
            next.splice(0, next.length, ...script)
            const ended = yield* run(async (client) => {
              if (script.length > 0) await client.from("notes").select("*")
              throw thrown
            })
            expect(ended, what).toEqual({ own: expect.anything() })
            expect("own" in ended && ended.own === thrown, what).toBe(true)
            expect(requests() - sofar, what).toBe(script.length)
          }
        })
      )
    }
  }
})

describe("what a caller gives back as an error of its own", () => {
  for (const [name, of, way] of ways) {
    it.scopedLive(`is not repeated: ${name}`, () =>
      Effect.gen(function* () {
        const { requests, run, script } = yield* way
        for (const [what, error] of owns) {
          if (what === "what cannot be looked into") continue
          const sofar = requests()
          script.splice(0, script.length, rows({ id: 1 }))
          const given = { data: null, error, status: 503 }
          const ended = yield* run(async (client) => {
            await client.from("notes").select("*")
            return given
          })
          if (of === "promise") expect("value" in ended && ended.value === given, what).toBe(true)
          else expect(ended, what).toMatchObject({ error: { _tag: expect.stringMatching(/QueryError|RowNotFound/) } })
          expect(requests() - sofar, what).toBe(1)
        }
      })
    )
  }
})

const itsWords = "thrown as an Error with its words"
const manyRows = "several rows where one was asked for"
const takenBack = "a request that its signal took back"

/** How an answer's error is handed on. */
const forms: ReadonlyArray<readonly [form: string, handsOn: (answer: Answered) => Answered]> = [
  [
    "thrown on",
    ({ error }) => {
      throw error
    }
  ],
  [
    "copied",
    ({ error }) => {
      throw { ...error }
    }
  ],
  [
    itsWords,
    ({ error }) => {
      const words = error !== null && "message" in error ? String(error.message) : ""
      throw words === "" ? error : new Error(words)
    }
  ],
  ["given back", (answer) => answer]
]

const several = rows({ id: 1 }, { id: 2 })

interface Heard {
  readonly what: string
  readonly met: Scripted
  readonly repeated: boolean
  readonly asks: Asks
  readonly error: object
}

const select: Asks = (client) => Promise.resolve(client.from("notes").select("*"))
const thrownByBuilder: Asks = async (client) => client.from("notes").select("*").throwOnError()

const transient = (what: string, met: Scripted, error: object): ReadonlyArray<Heard> =>
  [select, thrownByBuilder].map((asks) => ({
    what: asks === select ? what : `${what}, by throwOnError()`,
    met,
    repeated: true,
    asks,
    error: { _tag: "QueryError", isTransient: true, status: met.status, ...error }
  }))

const noJson = { status: 200, headers: { "content-type": "text/html" }, body: "<html>sign in</html>" }

const heards: ReadonlyArray<Heard> = [
  ...transient("PGRST001", postgrestError(503, "PGRST001", "no connection"), { code: "PGRST001" }),
  ...transient("40001", postgrestError(500, "40001", "could not serialize access"), { code: "40001" }),
  ...transient("an error without a code", lostAtCommit, { code: "" }),
  ...transient("a page", page(502), { reason: "<html>502</html>" }),
  ...transient("JSON without words", { status: 502, headers: { "content-type": "application/json" }, body: "{}" }, {}),
  ...[select, thrownByBuilder].map((asks) => ({
    what: asks === select ? "a page of 200" : "a page of 200, by throwOnError()",
    met: noJson,
    repeated: false,
    asks,
    error: { _tag: "QueryError", status: 200, reason: "the answer is not JSON: <html>sign in</html>" }
  })),
  {
    what: manyRows,
    met: several,
    repeated: false,
    asks: (client) => Promise.resolve(client.from("notes").select("*").maybeSingle()),
    error: { _tag: "QueryError", code: "PGRST116" }
  },
  {
    what: takenBack,
    met: several,
    repeated: false,
    asks: (client) => Promise.resolve(client.from("notes").select("*").abortSignal(AbortSignal.abort())),
    error: { _tag: "QueryError", code: "ABORTED_UNSENT" }
  }
]

describe("what a connection has heard", () => {
  for (const [name, of, way] of ways) {
    for (const { asks, error, met, repeated, what } of heards) {
      it.scopedLive(`is an error of ours in whatever form it is handed on: ${name}, ${what}`, () =>
        Effect.gen(function* () {
          const { requests, run, script } = yield* way
          for (const [form, handsOn] of forms) {
            // Those are the words of whichever rows, and a builder's own.
            if (what === manyRows && form === itsWords) continue
            const sofar = requests()
            script.splice(0, script.length, met, met)
            const ended = yield* run((client) => asks(client).then(handsOn))
            if (of === "promise" && form === "given back" && "value" in ended) {
              expect(ended.value, form).toMatchObject({ data: null, error: expect.anything() })
            } else expect(ended, form).toMatchObject({ error })
            if (what !== takenBack) {
              expect(requests() - sofar, form).toBe(repeated ? 2 : 1)
            }
          }
        })
      )
    }
  }

  it.scopedLive("is known by the first of two failures, too", () =>
    Effect.gen(function* () {
      const { run } = yield* inEffect("write")
      const ended = yield* run(async (client) => {
        const signal = AbortSignal.abort()
        const [first] = await Promise.all([
          client.from("notes").select("*").eq("id", "a\0"),
          client.from("notes").select("*").abortSignal(signal)
        ])
        throw first.error
      })
      expect(ended).toMatchObject({ error: { _tag: "QueryError", code: "INVALID_REQUEST" } })
    })
  )
})
