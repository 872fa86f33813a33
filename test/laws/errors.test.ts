/** Each operation fails with what its type says, and with each of that. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream, TestClock } from "effect"
import type { PoolOptionsInput } from "../../src/Config.js"
import * as Db from "../../src/Db.js"
import * as Pool from "../../src/Pool.js"
import * as RateLimit from "../../src/RateLimit.js"
import * as Transaction from "../../src/Transaction.js"
import { eachShows } from "../support/reliability.js"

eachShows("Laws of the pool")

interface Described {
  public: {
    Tables: { rows: { Row: { id: number }; Insert: { id: number }; Update: { id?: number }; Relationships: [] } }
    Views: Record<never, never>
    Functions: { f: { Args: never; Returns: string } }
  }
}

const Row = Schema.Struct({ id: Schema.Number })
const rows = Db.table("rows", Row)
const typed = Db.typed<Described>()

type Operation = Effect.Effect<unknown, Db.DbError, Db.Db | Db.ReadDb>

interface Kind {
  /** What its type says that it fails with. */
  readonly declared: { readonly members: ReadonlyArray<Schema.Schema.AnyNoContext> }
  readonly operations: ReadonlyArray<Operation>
}

const RowsOrTransaction = Schema.Union(...Db.RowsError.members, Db.TransactionFailed)
const ReadAsError = Schema.Union(...Db.ReadError.members, Db.DecodeError)
const WriteAsError = Schema.Union(...Db.WriteError.members, Db.DecodeError)

/** An operation whose type has these errors and no others. */
const kind =
  <E extends Db.DbError>(declared: { readonly members: ReadonlyArray<Schema.Schema.AnyNoContext>; readonly Type: E }) =>
  (...operations: ReadonlyArray<Effect.Effect<unknown, E, Db.Db | Db.ReadDb>>): Kind => ({ declared, operations })

/** Of a program without types. */
const unheardOf = Schema.decodeUnknownSync(Schema.Struct({ where: Schema.Struct({ id: Schema.Number }) }))({
  where: { id: Number.NaN }
})

const kinds: Readonly<Record<string, Kind>> = {
  read: kind(Db.ReadError)(
    Db.read((client) => client.from("rows").select("id").single()),
    Db.read((client) => client.from("rows").insert({ id: 1 })),
    typed.read((client) => client.from("rows").select("id").single())
  ),
  readAs: kind(ReadAsError)(
    Db.readAs(Row, (client) => client.from("rows").select("id").single()),
    Db.readAs(Row, (client) => client.from("rows").insert({ id: 1 }))
  ),
  response: kind(Db.ReadError)(
    Db.response((client) => client.from("rows").select("id").single()),
    Db.response((client) => client.from("rows").insert({ id: 1 }))
  ),
  write: kind(Db.WriteError)(
    Db.write((client) => client.from("rows").insert({ id: 1 }).select().single()),
    typed.write((client) => client.from("rows").insert({ id: 1 }).select().single())
  ),
  writeAs: kind(WriteAsError)(Db.writeAs(Row, (client) => client.from("rows").insert({ id: 1 }).select().single())),
  rpc: kind(Db.RequestError)(Db.rpc("f"), typed.rpc("f")),
  "rpc by GET": kind(Db.RequestError)(Db.rpc("f", {}, { get: true })),
  rpcAs: kind(Db.RowsError)(Db.rpcAs(Row, "f"), typed.rpcAs(Row, "f")),
  stream: kind(Db.StreamError)(
    Stream.runDrain(Db.stream((client) => client.from("rows").select("id").limit(1))),
    Stream.runDrain(Db.stream((client) => client.from("rows").insert({ id: 1 }).select("id").limit(1)))
  ),
  "table.get": kind(Db.RowError)(rows.get(1)),
  "table.getMany": kind(Db.RowsError)(rows.getMany([1])),
  "table.list": kind(Db.RowsError)(rows.list()),
  "table.search": kind(Db.RowsError)(Db.table("rows", Row, { search: ["id"] }).search({ query: "a" })),
  "table.count": kind(Db.RowsError)(rows.count(), rows.count(unheardOf)),
  "table.create": kind(Db.RowError)(rows.create({ id: 1 })),
  "table.createMany": kind(RowsOrTransaction)(
    rows.createMany([{ id: 1 }]),
    Db.table("rows", Row, { generated: ["id"] }).createMany([{ id: 1 }, {}])
  ),
  "table.update": kind(Db.RowError)(rows.update(1, { id: 2 })),
  "table.upsert": kind(Db.RowError)(rows.upsert({ id: 1 })),
  "table.remove": kind(Db.RowError)(rows.remove(1)),
  transaction: kind(Db.TransactionError)(
    Db.transaction([(client) => client.from("rows").insert({ id: 1 })]),
    Db.transaction([rows.updateStep(1, { id: 2 }, { expect: { id: 1 } })]),
    typed.transaction([(client) => client.from("rows").insert({ id: 1 })])
  ),
  settle: kind(Db.RequestError)(Transaction.settle("a"))
}

type Handler = Db.Handler

const unmade = "supabase_pool_transaction"

const asksForOne = (request: Request): boolean => request.headers.get("accept")?.includes("pgrst.object") === true

const problem = (status: number, code: string, details: string) =>
  Response.json({ code, message: "no", details, hint: null }, { status })

const rowsOf = (request: Request, row: object) => {
  if (request.url.includes("transaction_settle")) return Response.json({ executed: true })
  return Response.json(asksForOne(request) ? row : [row])
}

const blamed = (request: Request, code: string, message: string) =>
  request.url.includes(unmade)
    ? Response.json(
        { code: "P0001", message, details: JSON.stringify({ supabase_pool_step: 0, code, details: "0" }), hint: null },
        { status: 400 }
      )
    : problem(400, "23505", "")

/** What the database says to everything. */
const answers: Readonly<Record<string, Handler>> = {
  "what it is asked for": (request) => rowsOf(request, { id: 1 }),
  "that there is none": (request) =>
    asksForOne(request) || request.url.includes("/rpc/")
      ? problem(406, "PGRST116", "The result contains 0 rows")
      : Response.json([]),
  "what no schema has": (request) => rowsOf(request, { id: "x" }),
  "that it will not": () => problem(400, "42P01", ""),
  "which step it blames": (request) =>
    request.url.includes(unmade)
      ? problem(400, "23505", JSON.stringify({ supabase_pool_step: 0, code: "23505", details: null }))
      : problem(400, "23505", ""),
  "that a step has no row": (request) => blamed(request, "P0002", "one row was asked for"),
  "that a guard does not hold": (request) => blamed(request, "SP001", "guard"),
  "a gateway's page": () => new Response("<html>", { status: 502 }),
  nothing: () => Effect.never,
  "by hanging up": () =>
    Effect.fail(
      new Db.ConnectionFailed({ pool: "read", origin: "http://db.test", failure: "refused", code: "", sent: false })
    )
}

interface World {
  readonly options?: PoolOptionsInput
  readonly answers: string
  readonly before?: Effect.Effect<unknown, unknown, Scope.Scope | Pool.ReadPool | Pool.WritePool | RateLimit.RateLimit>
  readonly closed?: boolean
}

const all = Effect.all([Pool.ReadPool, Pool.WritePool])

/** Whoever else there is has the only connection of each pool. */
const busy = Effect.flatMap(all, (pools) => Effect.forEach(pools, ({ connection }) => connection))

const crowded = Effect.zipRight(
  busy,
  Effect.flatMap(all, (pools) =>
    Effect.forEach(pools, (pool) =>
      Effect.forkScoped(pool.use(() => Effect.never)).pipe(
        Effect.zipRight(
          Effect.repeat(Effect.zipRight(Effect.yieldNow(), pool.metrics), { until: ({ pending }) => pending > 0 })
        )
      )
    )
  )
)

const single: PoolOptionsInput = {
  minConnections: 1,
  maxConnections: 2,
  maxRetries: 0,
  leakDetectionTimeout: 0,
  connectionTimeout: "2 seconds",
  requestTimeout: "3 seconds",
  shutdownTimeout: "1 second"
}

const worlds: Readonly<Record<string, World>> = {
  ...Object.fromEntries(Object.keys(answers).map((name) => [`answers ${name}`, { answers: name }])),
  "lends no connection": { answers: "nothing", before: busy },
  "has too many who wait": { answers: "nothing", before: crowded, options: { ...single, maxPending: 1 } },
  "takes connections back": {
    answers: "nothing",
    options: { ...single, leakDetectionTimeout: "2 seconds", requestTimeout: "1 minute" }
  },
  "has let in all that it lets in": {
    answers: "nothing",
    before: RateLimit.admit,
    options: { ...single, rateLimit: 1, rateLimitWindow: "1 hour" }
  },
  "is closed": { answers: "nothing", closed: true }
}

const macrotask = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** As long as it takes, by a clock that nobody waits for. */
const ended = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(Effect.exit(effect))
    while (Option.isNone(yield* Fiber.poll(fiber))) {
      yield* macrotask
      yield* TestClock.adjust("1 second")
    }
    return yield* Fiber.join(fiber)
  })

const failureIn = (
  { answers: name, before = Effect.void, closed = false, options = single }: World,
  operation: Operation
) =>
  Effect.gen(function* () {
    const handler = answers[name]
    if (handler === undefined) return expect.fail(name)
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Db.layerTest(handler, options), scope)
    const prepared = yield* Scope.make()
    yield* Effect.orDie(before).pipe(Scope.extend(prepared), Effect.provide(context))
    if (closed) yield* ended(Scope.close(scope, Exit.void))
    const exit = yield* ended(Effect.provide(operation, context))
    yield* Scope.close(prepared, Exit.void)
    if (!closed) yield* ended(Scope.close(scope, Exit.void))
    return Exit.match(exit, {
      onSuccess: () => "",
      onFailure: (cause) => (cause._tag === "Fail" ? cause.error._tag : Cause.pretty(cause))
    })
  })

const tagsOf = ({ members }: Kind["declared"]): ReadonlyArray<string> =>
  members.map((member) => ("_tag" in member ? String(member._tag) : String(member))).sort()

describe("an operation", () => {
  for (const [name, { declared, operations }] of Object.entries(kinds)) {
    it.effect(`${name} fails with each error of its type, and with no other`, () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        for (const world of Object.values(worlds)) {
          for (const operation of operations) seen.add(yield* failureIn(world, operation))
        }
        seen.delete("")
        expect([...seen].sort()).toEqual(tagsOf(declared))
      })
    )
  }

  it("has a type that is a part of DbError", () => {
    expectTypeOf<Db.RequestError>().toExtend<Db.DbError>()
    expectTypeOf<Db.ReadError>().toExtend<Db.DbError>()
    expectTypeOf<Db.WriteError>().toExtend<Db.DbError>()
    expectTypeOf<Db.StreamError>().toExtend<Db.DbError>()
    expectTypeOf<Db.TransactionError>().toExtend<Db.DbError>()
    expectTypeOf<Db.RowError>().toExtend<Db.DbError>()
    expectTypeOf<Db.RowsError>().toExtend<Db.DbError>()
    expectTypeOf<Db.ReadError["_tag"]>().toEqualTypeOf<
      Exclude<Db.DbError["_tag"], "DecodeError" | "TransactionFailed" | "GuardFailed">
    >()
    expectTypeOf<Db.ReadError>().toEqualTypeOf<typeof Db.ReadError.Type>()
    expectTypeOf<Db.WriteError>().toEqualTypeOf<typeof Db.WriteError.Type>()
    expectTypeOf<Db.StreamError>().toEqualTypeOf<typeof Db.StreamError.Type>()
    expectTypeOf<Db.TransactionError>().toEqualTypeOf<typeof Db.TransactionError.Type>()
    expectTypeOf<Db.RowError>().toEqualTypeOf<typeof Db.RowError.Type>()
    expectTypeOf<Db.RowsError>().toEqualTypeOf<typeof Db.RowsError.Type>()
    expectTypeOf<Db.RequestError>().toEqualTypeOf<typeof Db.RequestError.Type>()
    // @ts-expect-error: no read is a transaction.
    const never = Effect.catchTag(rows.list(), "TransactionFailed", () => Effect.void)
    expect(Effect.isEffect(never)).toBe(true)
  })

  it.effect("whose code throws another operation's error dies of it, since its type does not have it", () =>
    Effect.gen(function* () {
      const foreign = new Db.DecodeError({ table: "", id: "", path: "", issue: "" })
      const exit = yield* Effect.exit(Db.read(() => Promise.reject(foreign)))
      expect(exit).toEqual(Exit.die(foreign))
    }).pipe(Effect.provide(Db.layerTest(() => Response.json([]))))
  )
})
