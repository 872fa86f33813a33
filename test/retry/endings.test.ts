/** How an operation ended: the table of status, code and method, on real HTTP and in a handler of a user's specs. */
import { describe, expect, it } from "@effect/vitest"
import type { SupabaseClient } from "@supabase/supabase-js"
import { Chunk, Duration, Effect, Exit, FastCheck as fc, Layer, Schedule, type Scope } from "effect"
import * as Db from "../../src/Db.js"
import type { DbError } from "../../src/Errors.js"
import * as Http from "../../src/Http.js"
import { saidOf } from "../../src/internal/connection/errorBody.js"
import { endingOf } from "../../src/internal/errors/errorCodes.js"
import * as Metrics from "../../src/Metrics.js"
import * as Retry from "../../src/Retry.js"
import { counted, lostAtCommit, page, postgrestError, rows, type Scripted, scripted } from "../support/postgrest.js"
import { shows } from "../support/reliability.js"

interface Way {
  /** What the next requests meet. */
  readonly script: Array<Scripted>
  readonly sent: () => number
  readonly layer: ReturnType<typeof Db.layerOf>
}

const options = { minConnections: 1, maxConnections: 4, maxRetries: 2, retryDelay: 1, enableHealthChecks: false }

const over = (transport: "sockets" | "fetch"): Effect.Effect<Way, never, Scope.Scope> =>
  Effect.map(scripted, ({ script, seen, url }) => ({
    script,
    sent: () => seen.filter(({ url }) => url !== "/").length,
    layer: Db.layerOf({
      ...options,
      transport,
      url,
      anonKey: "an-anon-key-for-this-test",
      serviceRoleKey: "a-service-key-for-this-test"
    })
  }))

const overHandler: Effect.Effect<Way, never, Scope.Scope> = Effect.sync(() => {
  const script: Array<Scripted> = []
  let sent = 0
  const layer = Db.layerTest(({ headers: asked, method }) => {
    sent += 1
    const { body = "", headers = {}, status } = counted(script.shift() ?? rows(), asked.get("prefer"))
    return new Response(method === "HEAD" || status === 204 ? null : body, { status, headers: { ...headers } })
  }, options)
  return { script, sent: () => sent, layer }
})

const overSockets = over("sockets")

const ways = {
  "a socket": overSockets,
  "the platform's fetch": over("fetch"),
  "a handler of Db.layerTest": overHandler
}

type Kind = "read" | "head" | "read on the write pool" | "insert" | "idempotent write"

const operations: Readonly<Record<Kind, Effect.Effect<unknown, DbError, Db.Db | Db.ReadDb>>> = {
  read: Db.read((client) => client.from("notes").select("*")),
  head: Db.response((client) => client.from("notes").select("*", { count: "exact", head: true })),
  "read on the write pool": Db.response((client) => client.from("notes").select("*"), { pool: "write" }),
  insert: Db.write((client) => client.from("notes").insert({ a: 1 })),
  "idempotent write": Db.write((client) => client.from("notes").update({ a: 1 }).eq("id", 1), { idempotent: true })
}

const reading: ReadonlyArray<Kind> = ["read", "head", "read on the write pool"]

/** Who repeats it, and what a plain write is told when it is not repeated. */
interface Expected {
  readonly repeats: "all" | "all but plain writes" | "none"
  readonly perhaps: boolean
}

const retried: Expected = { repeats: "all", perhaps: false }
const unknown: Expected = { repeats: "all but plain writes", perhaps: true }
const final: Expected = { repeats: "none", perhaps: false }

const refusedToken = (words: string): Scripted => {
  const error = postgrestError(401, "PGRST303", words)
  const challenge = `Bearer error="invalid_token", error_description="${words}"`
  return { ...error, headers: { ...error.headers, "www-authenticate": challenge } }
}

const issuedAtFuture = refusedToken("JWT issued at future")
const notYetValid = refusedToken("JWT not yet valid")

const facts: ReadonlyArray<readonly [what: string, met: Scripted, expected: Expected]> = [
  ["the answer to COMMIT is lost (400 without a code)", lostAtCommit, unknown],
  ["57P01", postgrestError(503, "57P01", "terminating connection due to administrator command"), unknown],
  ["57P02", postgrestError(503, "57P02", "terminating connection because of crash"), unknown],
  ["57P03", postgrestError(503, "57P03", "the database system is starting up"), retried],
  ["08006", postgrestError(503, "08006", "connection failure"), unknown],
  ["53300", postgrestError(503, "53300", "sorry, too many clients already"), retried],
  ["PGRST000", postgrestError(503, "PGRST000", "could not connect"), retried],
  ["PGRST001", postgrestError(503, "PGRST001", "no connection to the server"), retried],
  ["PGRST002", postgrestError(503, "PGRST002", "could not query the schema cache"), retried],
  ["PGRST003", postgrestError(504, "PGRST003", "timed out acquiring connection"), retried],
  ["40001", postgrestError(500, "40001", "could not serialize access"), retried],
  ["40P01", postgrestError(500, "40P01", "deadlock detected"), retried],
  ["57014, a statement that took too long", postgrestError(500, "57014", "canceling statement"), final],
  ["a code of the user's own with 500", postgrestError(500, "123", "raised in SQL"), final],
  ["a code of the user's own with 503", postgrestError(503, "mine", "raised in SQL"), final],
  ["a token issued at future", issuedAtFuture, retried],
  ["a token not yet valid", notYetValid, retried],
  ["a token that is expired", postgrestError(401, "PGRST303", "JWT expired"), final],
  ["an ambiguous embedding (300)", postgrestError(300, "PGRST201", "more than one", [{ cardinality: "many" }]), final],
  ["408", page(408), retried],
  ["425", page(425), retried],
  ["429", page(429), retried],
  ...[502, 503, 504, 520, 521, 522, 523, 524, 527, 544].map((status) => [`${status}`, page(status), unknown] as const),
  ...[525, 526, 530].map((status) => [`${status}`, page(status), retried] as const),
  ["540, a project that is paused", page(540), final],
  ["500 of a gateway", page(500), { repeats: "none", perhaps: true }],
  ...[301, 302, 303, 307, 308].map(
    (status) => [`${status}`, { status, headers: { location: "https://db.example.com/x?apikey=a" } }, final] as const
  ),
  ["404 without a body", { status: 404 }, final],
  ["404 with a list", { status: 404, body: "[]" }, final],
  ["a body that is null", { status: 502, headers: { "content-type": "application/json" }, body: "null" }, unknown],
  ["a body that is a text in JSON", { status: 502, body: '"down"' }, unknown],
  [
    "a gateway's 502 with PostgreSQL's code",
    { status: 502, body: '{"code":"40001","message":"upstream reset"}' },
    unknown
  ],
  ["a gateway's 504 with our own code", { status: 504, body: '{"code":"INVALID_REQUEST","message":"no"}' }, unknown],
  ["a gateway's 504 with a name of every object's", { status: 504, body: '{"code":"constructor"}' }, unknown],
  ...[
    "PostgREST-lb; error=connection_terminated",
    "my-PostgREST; error=PGRST001",
    'edge; next-hop="PostgREST; error=PGRST003"',
    'edge; details="a, PostgREST; error=40001"'
  ].map(
    (value) => [`502 with Proxy-Status ${value}`, { status: 502, headers: { "proxy-status": value } }, unknown] as const
  ),
  [
    "PGRST001 behind another proxy",
    {
      ...postgrestError(503, "PGRST001", "no connection"),
      headers: { "proxy-status": "edge, PostgREST; error=PGRST001" }
    },
    retried
  ],
  ["Kong's words", { status: 502, body: '{"message":"An invalid response was received"}' }, unknown]
]

const isRepeated = ({ repeats }: Expected, kind: Kind): boolean =>
  repeats === "all" || (repeats === "all but plain writes" && kind !== "insert")

const meaning = ({ perhaps, repeats }: Expected): string => {
  if (repeats === "all") return "nothing was executed, and all are repeated"
  if (repeats === "none") return perhaps ? "a write may have been executed; final" : "nothing was executed; final"
  return "unknown: reads, idempotent writes and transactions are repeated, a plain write says that it may have been executed"
}

for (const [name, way] of Object.entries(ways)) {
  describe(`an answer over ${name}`, () => {
    for (const [what, met, expected] of facts) {
      it.scopedLive(
        `${what}: ${expected.repeats} repeated, ${expected.perhaps ? "perhaps" : "not"} executed`,
        (context) =>
          Effect.gen(function* () {
            const { layer, script, sent } = yield* way
            const ask = (kind: Kind) => Effect.exit(operations[kind])
            yield* Effect.gen(function* () {
              for (const kind of Object.keys(operations) as Array<Kind>) {
                const before = sent()
                script.push(met)
                const exit = yield* ask(kind)
                expect([kind, Exit.isSuccess(exit), sent() - before]).toEqual([
                  kind,
                  isRepeated(expected, kind),
                  isRepeated(expected, kind) ? 2 : 1
                ])
                // Three seconds each, which would be long.
                if (met === issuedAtFuture || met === notYetValid) continue
                script.push(met, met, met, met)
                const error = yield* Effect.flip(operations[kind])
                script.splice(0)
                expect([kind, error.mayHaveExecuted]).toEqual([kind, expected.perhaps && !reading.includes(kind)])
                if (reading.includes(kind)) expect(error.message).not.toContain("check before sending it again")
              }
            }).pipe(Effect.provide(layer))
            if (way === overSockets) {
              shows(context, {
                kind: "promise",
                section: "How an operation ended",
                what: `${what}: ${meaning(expected)}`
              })
            }
          })
      )
    }

    for (const status of [303, 402, 422, 429]) {
      it.scopedLive(`whose status ${status} a function set itself was committed, and is not repeated`, () =>
        Effect.gen(function* () {
          const { layer, script, sent } = yield* way
          script.push({
            status,
            headers: { "content-type": "application/json", "content-range": "0-0/*" },
            body: '{"left":0}'
          })
          const error = yield* Effect.flip(Effect.provide(Db.rpc("take", { n: 1 }), layer))
          expect(error).toMatchObject({ _tag: "QueryError", status, mayHaveExecuted: true, isTransient: false })
          expect(sent()).toBe(1)
        })
      )
    }

    it.scopedLive("of a function at the edge, which has no status, is the caller's error and nobody else's", () =>
      Effect.gen(function* () {
        const { layer, script } = yield* way
        script.push(page(500), page(500))
        const invoked = Db.write((client) => Effect.promise(() => client.functions.invoke("f")))
        expect((yield* Effect.provide(invoked, layer)).error).not.toBeNull()
        // As JavaScript may write it: the compiler takes builders only.
        const untyped = Reflect.apply(Db.write, undefined, [
          (client: { readonly functions: { readonly invoke: (name: string) => unknown } }) =>
            client.functions.invoke("f")
        ]) as typeof invoked
        expect(Exit.isFailure(yield* Effect.exit(Effect.provide(untyped, layer)))).toBe(true)
      })
    )

    it.scopedLive("to HEAD that is an error has the code that a GET's has", () =>
      Effect.gen(function* () {
        const { layer, script } = yield* way
        for (const [status, code] of [
          [404, "PGRST205"],
          [400, "PGRST100"],
          [403, "42501"],
          [401, "PGRST301"]
        ] as const) {
          script.push(postgrestError(status, code, "words"))
          const error = yield* Effect.flip(Effect.provide(operations.head, layer))
          expect(error).toMatchObject({ _tag: "QueryError", code, status })
        }
      })
    )

    it.scopedLive("that redirects names where to, without the question and what is in it", () =>
      Effect.gen(function* () {
        const { layer, script } = yield* way
        script.push({ status: 307, headers: { location: "https://db.example.com/rest/v1/notes?apikey=secret" } })
        const error = yield* Effect.flip(Effect.provide(operations.insert, layer))
        expect(error.message).toContain("redirects to https://db.example.com/rest/v1/notes")
        expect(error.message).not.toContain("secret")
      })
    )

    it.scopedLive("with details that are a list keeps them", () =>
      Effect.gen(function* () {
        const { layer, script } = yield* way
        script.push(postgrestError(300, "PGRST201", "Could not embed", [{ cardinality: "many-to-one" }]))
        const error = yield* Effect.flip(Effect.provide(operations.read, layer))
        expect(error).toMatchObject({ code: "PGRST201", details: '[{"cardinality":"many-to-one"}]' })
        expect(error.message).not.toContain("not JSON")
      })
    )

    it.scopedLive("is not repeated where the builder says retry(false), and by the pool alone with retry(true)", () =>
      Effect.gen(function* () {
        const { layer, script, sent } = yield* way
        const busy = postgrestError(503, "PGRST001", "no connection to the server")
        script.push(busy)
        const asked = (again: boolean) =>
          Effect.exit(Db.read((client) => client.from("notes").select("*").retry(again))).pipe(Effect.provide(layer))
        expect(Exit.isFailure(yield* asked(false))).toBe(true)
        expect(sent()).toBe(1)
        script.splice(0, script.length, busy, busy, busy, busy)
        expect(Exit.isFailure(yield* asked(true))).toBe(true)
        // The first and `maxRetries`.
        expect(sent()).toBe(1 + 3)
      })
    )

    it.scopedLive("is looked for by nobody who has aborted", () =>
      Effect.gen(function* () {
        const { layer, sent } = yield* way
        const error = yield* Effect.flip(
          Effect.provide(
            Db.read((client) => client.from("notes").select("*").abortSignal(AbortSignal.abort())),
            layer
          )
        )
        expect(error).toMatchObject({ _tag: "QueryError", code: "ABORTED_UNSENT" })
        expect(sent()).toBe(0)
      })
    )
  })
}

const insertNote = (client: SupabaseClient) => client.from("notes").insert({ a: 1 })

/** Both have a key or do no harm twice, so both are repeated alike. */
const alike = {
  "a write": Db.write(insertNote, { idempotent: true }),
  "a transaction": Db.transaction([insertNote])
}

const withHeader = (met: Scripted, name: string, value: string): Scripted => ({
  ...met,
  headers: { ...met.headers, [name]: value }
})

/** What our function says of a step, in the details. */
const blaming = (code: string): string => JSON.stringify({ supabase_pool_step: 0, code, details: null })

const raised = (status: number, code: string): readonly [plain: Scripted, inStep: Scripted] => [
  postgrestError(status, code, "words"),
  postgrestError(status, code, "words", blaming(code))
]

/** What `Http.failed` makes of both. */
interface Told {
  readonly status: number
  readonly transient: boolean
  readonly header?: readonly [name: string, value: string]
  readonly says?: string
}

const invalidToken = ["www-authenticate", 'Bearer error="invalid_token"'] as const

const told: ReadonlyArray<readonly [what: string, met: Scripted, Told, inStep?: Scripted]> = [
  ["25006 of a standby", postgrestError(405, "25006", "read-only"), { status: 503, transient: true }],
  ...[408, 425, 429, 525, 526, 530].map(
    (status) =>
      [
        `${status} with Retry-After`,
        withHeader(page(status), "retry-after", "0"),
        { status: 503, transient: true, header: ["retry-after", "1"] }
      ] as const
  ),
  ["540", page(540), { status: 500, transient: false, says: "The project is paused" }],
  ["PGRST303", postgrestError(401, "PGRST303", "JWT expired"), { status: 401, transient: false, header: invalidToken }],
  ["PGRST301", postgrestError(401, "PGRST301", "No key"), { status: 401, transient: false, header: invalidToken }],
  ["413", page(413), { status: 413, transient: false }],
  ["414", page(414), { status: 414, transient: false }],
  ["403 of a gateway", page(403), { status: 500, transient: false, says: "Check the key or the access token" }]
]

const inSql: ReadonlyArray<readonly [status: number, code: string, Told]> = [
  [400, "P0001", { status: 400, transient: false }],
  [402, "PT402", { status: 402, transient: false }],
  [429, "PT429", { status: 503, transient: true }],
  [409, "23505", { status: 409, transient: false }],
  [400, "22P02", { status: 400, transient: false }],
  [403, "42501", { status: 403, transient: false }],
  [500, "40001", { status: 503, transient: true }],
  [500, "57014", { status: 500, transient: false }]
]

/** Of an error what decides for whoever gets it. */
const meaningOf = (error: DbError) => {
  const { headers, status } = Http.failed(error)
  return {
    isTransient: error.isTransient,
    mayHaveExecuted: error.mayHaveExecuted,
    outcome: Metrics.outcomeOf(Exit.fail(error)),
    status,
    retryAfter: headers["retry-after"],
    challenge: headers["www-authenticate"]
  }
}

/** A token issued at future is tried for three seconds, which would be long. */
const triesOf = (met: Scripted): number => (met === issuedAtFuture ? 0 : 1)

/** How it fails where each attempt meets `met`. */
const meets = (operation: Effect.Effect<unknown, DbError, Db.Db>, met: Scripted, maxRetries = triesOf(met)) =>
  Effect.gen(function* () {
    let sent = 0
    const layer = Db.layerTest(
      () => {
        sent += 1
        const { body = "", headers = {}, status } = met
        return new Response(body, { status, headers: { ...headers } })
      },
      { ...options, maxRetries }
    )
    const error = yield* Effect.flip(Effect.provide(operation, Layer.orDie(layer)))
    return { error, sent, meaning: meaningOf(error) }
  })

describe("a transaction and a write that meet the same answer", () => {
  for (const [what, met] of facts) {
    it.live(`${what}: are repeated as often, and mean the same to who asked`, () =>
      Effect.gen(function* () {
        const plain = yield* meets(alike["a write"], met)
        const inOne = yield* meets(alike["a transaction"], met)
        expect([inOne.sent, inOne.meaning]).toEqual([plain.sent, plain.meaning])
      })
    )
  }

  const rows = [
    ...told.map(([what, met, expected]) => [what, met, met, expected] as const),
    ...inSql.map(([status, code, expected]) => [`${code} with ${status}`, ...raised(status, code), expected] as const)
  ]
  for (const [what, plain, inStep, expected] of rows) {
    it.live(
      `${what}: ${expected.status} over HTTP, ${expected.transient ? "and it may be asked again" : "for good"}`,
      () =>
        Effect.gen(function* () {
          for (const [operation, met] of [
            [alike["a write"], plain],
            [alike["a transaction"], inStep]
          ] as const) {
            const { error, meaning, sent } = yield* meets(operation, met)
            expect([sent, meaning.isTransient, meaning.status]).toEqual([
              expected.transient ? 2 : 1,
              expected.transient,
              expected.status
            ])
            if (expected.header !== undefined) {
              expect(Http.failed(error).headers).toMatchObject({ [expected.header[0]]: expected.header[1] })
            }
            expect(error.message).toContain(expected.says ?? "")
          }
        })
    )
  }

  it.live("keep for how long the server asks to be left alone", () =>
    Effect.gen(function* () {
      const busy = withHeader(page(408), "retry-after", "2")
      for (const operation of Object.values(alike)) {
        const { error } = yield* meets(operation, busy, 0)
        expect(Http.failed(error).headers["retry-after"]).toBe("2")
      }
    })
  )
})

describe("the table", () => {
  const told = fc.record({
    status: fc.oneof(fc.constantFrom(0, 200, 300, 307, 400, 404, 408, 429, 500, 502, 503, 504, 522, 525, 540, 544)),
    code: fc.constantFrom(
      "",
      "PGRST001",
      "57P01",
      "40001",
      "23505",
      "P0001",
      "mine",
      "ABORTED",
      "INVALID_REQUEST",
      "25006"
    ),
    method: fc.constantFrom(undefined, "GET", "HEAD", "POST", "PATCH"),
    answeredBy: fc.constantFrom(undefined, "PostgREST" as const, "gateway" as const)
  })

  it("says of no GET or HEAD that it may have been executed", () =>
    fc.assert(
      fc.property(told, (one) => {
        if (one.method !== "GET" && one.method !== "HEAD") return
        expect(endingOf(one).mayHaveExecuted).toBe(false)
      })
    ))

  it("lets no plain write be repeated that may have been executed", () =>
    fc.assert(
      fc.property(told, ({ answeredBy, code, method, status }) => {
        const error = new Db.QueryError({ code, reason: "", details: "", hint: "", status, method, answeredBy })
        if (!error.mayHaveExecuted) return
        expect(Retry.isRetryable(error, { mode: "write", idempotent: false })).toBe(false)
      })
    ))

  it("takes no gateway's word for the database's", () =>
    fc.assert(
      fc.property(fc.constantFrom(502, 503, 504, 520, 524), fc.string({ maxLength: 12 }), (status, code) => {
        if (/^(PGRST\w{3}|[0-9A-Z]{5})$/.test(code)) return
        const body = JSON.stringify({ code, message: "down" })
        const said = saidOf({ method: "POST", url: "http://a/b", status, header: () => null, body })
        expect(said.answeredBy).toBe("gateway")
        expect(endingOf({ status, method: "POST", ...said }).mayHaveExecuted).toBe(true)
      })
    ))
})

describe.each(["JWT issued at future", "JWT not yet valid"])("a token whose time has not come (%s)", (reason) => {
  it.effect("is tried for three seconds at the least, however short the delays", () =>
    Effect.gen(function* () {
      const skewed = new Db.QueryError({
        code: "PGRST303",
        reason,
        details: "",
        hint: "",
        status: 401
      })
      for (const maxRetries of [1, 2, 3, 10]) {
        const delays = { maxRetries, retryDelay: Duration.millis(1), retryJitter: false }
        const taken = yield* Schedule.run(Retry.schedule(delays), 0, Array<DbError>(maxRetries).fill(skewed))
        expect(
          Chunk.toReadonlyArray(taken).reduce((sum, delay) => sum + Duration.toMillis(delay), 0)
        ).toBeGreaterThanOrEqual(2_999)
      }
    })
  )
})
