/** The service behind the tags of a database. */
import { Effect } from "effect"
import type { DbError } from "../../Errors.js"
import { asksForCount, tableOf } from "../connection/builderFields.js"
import { reads } from "../connection/fetchInput.js"
import { limitTo } from "../connection/maxAffected.js"
import type { Transport } from "../connection/transport.js"
import { caller, outside } from "../shared/asyncContext.js"
import type { MostRows } from "../table/mostRows.js"
import type { TransactionOptions } from "../transaction/options.js"
import { readsExactly } from "../transaction/planned.js"
import type { TransactionStep } from "../transaction/record.js"
import { run as runTransaction } from "../transaction/run.js"
import type { Reader, ReaderWriter } from "./access.js"
import { call } from "./call.js"
import { contentRangeOf } from "./contentRange.js"
import type { RequestLine } from "./cuts.js"
import type * as Database from "./database.js"
import { type AnyAnswer, type AnyOptions, type AnyQuery, type Anything, Derived } from "./derived.js"
import { asMade, named } from "./identity.js"
import { isCount, noCount } from "./list.js"
import { type Body, runOperation } from "./operation.js"
import type { Operations } from "./operationContext.js"
import { heedRetry, isForeign, isGood, type PostgrestResult, returnedError, thrownError } from "./postgrestResult.js"
import { ofFunction, ofTransaction, returned } from "./tracing.js"

const isUncounted = (answer: object): boolean => !("count" in answer && isCount(answer.count))

/** Runs a builder. Interruption is the connection's business: what is under way when it goes back is aborted. */
const ask = <A extends PostgrestResult>(
  query: PromiseLike<A>,
  transport: Transport,
  now: () => number,
  maxAffected?: number
): Effect.Effect<A, DbError> => askFor(query, transport, now, (answer) => Effect.succeed(answer), maxAffected)

/** `ask`, and of the answer what `pick` makes of it; a step less than mapping it. */
const askFor = <A extends PostgrestResult, B>(
  query: PromiseLike<A>,
  transport: Transport,
  now: () => number,
  pick: (answer: A) => Effect.Effect<B, DbError>,
  maxAffected?: number
): Effect.Effect<B, DbError> =>
  Effect.withFiberRuntime((fiber) => {
    const span = fiber.currentSpan
    const refused = maxAffected === undefined ? undefined : limitTo(query, maxAffected)
    if (refused !== undefined) return Effect.fail(refused)
    heedRetry(query, transport)
    const context = fiber.getFiberRef(caller)
    const sent = (resume: (effect: Effect.Effect<B, DbError>) => void): void => {
      query.then(
        (answer) => {
          try {
            if (span !== undefined && answer.error === null) returned(span, answer.data)
            resume(isGood(answer) ? pick(answer) : Effect.fail(returnedError(answer, transport, now(), query)))
          } catch (thrown) {
            // Here it would be nobody's, and its caller would wait for ever.
            resume(Effect.die(thrown))
          }
        },
        (thrown: unknown) => {
          const error = thrownError(thrown, transport, now(), query)
          resume(error === undefined || isForeign(error) ? Effect.die(thrown) : Effect.fail(error))
        }
      )
    }
    return Effect.async((resume) => {
      if (context === undefined) sent(resume)
      else context.run(() => sent((effect) => outside(() => resume(effect))))
    })
  })

/** One class for both tags: what `ReadDb` lacks, its type does not show. */
class Service extends Derived {
  protected readonly source: Database.Source<never>
  private readonly core: Database.UntypedWriter
  private readonly operations: Operations["Type"]

  constructor(operations: Operations["Type"]) {
    super()
    this.operations = operations
    this.core = asUntyped(this)
    this.source = { reading: Effect.succeed(this.core), writing: Effect.succeed(this.core) }
  }

  read(f: AnyQuery, options?: AnyOptions): Anything {
    return asMade(
      runOperation(this.operations, this.dataOf(f, options?.exact), {
        mode: "read",
        as: options?.as,
        retry: options?.retry
      })
    )
  }

  write(f: AnyQuery, options?: Database.WriteOptions): Anything {
    const { exact, idempotent, maxAffected, retry } = options ?? {}
    return asMade(
      runOperation(this.operations, this.dataOf(f, exact, maxAffected), { mode: "write", idempotent, retry })
    )
  }

  get seen(): MostRows {
    return this.operations.cuts.seen
  }

  response(f: AnyAnswer, options?: AnyOptions): Anything {
    return asMade(
      this.answered(f, options, (answer, query, { tenure }) => {
        const { data, status } = answer
        const asked = { from: tableOf(query), method: tenure.answered, status }
        // Without the header there is nothing to misread: supabase-js says null. Of one without a number it makes NaN.
        const isMisread = tenure.contentRange !== null && isUncounted(answer)
        if (isMisread && reads(asked.method) && asksForCount(query)) {
          return Effect.fail(noCount(asked, tenure.contentRange))
        }
        return this.asItCame(answer, data, tenure)
      })
    )
  }

  /** Of what tables, streams and functions ask, who know what to do about an answer that is cut. */
  placed(f: AnyAnswer, options?: AnyOptions): Effect.Effect<Database.Placed, DbError> {
    return this.answered(f, options, ({ data, status }, query, { tenure }) =>
      Effect.succeed({
        data,
        status,
        from: tableOf(query),
        method: tenure.answered,
        place: contentRangeOf(tenure.contentRange),
        header: tenure.contentRange,
        counted: tenure.applied?.includes("count=exact") === true
      })
    )
  }

  rpc(name: string, args: Record<string, unknown> = {}, options: Database.RpcOptions = {}): Anything {
    const limit = options.limit === undefined ? "" : `?limit=${options.limit}`
    const path = `/rpc/${name}${limit}`
    const called = call({
      db: this.core,
      name,
      args,
      options,
      perhapsCut: ({ data, method }) => this.asItCame(data, data, { method, path }),
      uncounted: ({ data, method }) => this.uncounted(data, { method, path })
    })
    return asMade(ofFunction(name, called))
  }

  private answered<A>(
    f: AnyAnswer,
    { as, exact = false, idempotent, maxAffected, pool = "read", retry }: AnyOptions = {},
    pick: (answer: PostgrestResult, query: unknown, transport: Transport) => Effect.Effect<A, DbError>
  ): Effect.Effect<A, DbError> {
    const { now } = this.operations
    return runOperation<A, DbError, never>(
      this.operations,
      (client, { transport }) => {
        const query = f(client)
        transport.tenure.wantsPlace = true
        transport.tenure.exact = exact
        return askFor(query, transport, now, (answer) => pick(answer, query, transport), maxAffected)
      },
      { mode: pool, as, idempotent, retry }
    )
  }

  transaction(steps: ReadonlyArray<TransactionStep>, options?: TransactionOptions): Anything {
    const exact = options?.exact === true || steps.some(readsExactly)
    const sent = runTransaction(steps, options?.idempotencyKey, (query, failed, explain) =>
      runOperation(
        this.operations,
        (client, { transport }) => {
          transport.tenure.exact = exact
          return Effect.tapError(ask(query(client), transport, this.operations.now), (error) =>
            Effect.sync(() => failed(error))
          )
        },
        { mode: "write", idempotent: true, explain }
      )
    )
    return asMade(ofTransaction(steps.length, sent))
  }

  /** As it came, and said in the log where it may be cut. */
  private asItCame<A>(answer: A, data: unknown, sent: RequestLine): Effect.Effect<A> {
    const said = Array.isArray(data) ? this.operations.cuts.perhaps(data.length, sent) : undefined
    return said === undefined ? Effect.succeed(answer) : Effect.as(said, answer)
  }

  private uncounted(data: unknown, sent: RequestLine): Effect.Effect<unknown> {
    if (!Array.isArray(data)) return Effect.succeed(data)
    return Effect.suspend(() =>
      Effect.as(this.operations.cuts.uncounted(data.length, sent, this.operations.now()) ?? Effect.void, data)
    )
  }

  private dataOf(f: AnyQuery, exact = false, maxAffected?: number): Body<unknown, unknown, unknown> {
    const { now } = this.operations
    return (client, connection) => {
      connection.transport.tenure.exact = exact
      const query = f(client)
      if (!Effect.isEffect(query)) {
        const { transport } = connection
        return askFor(query, transport, now, ({ data }) => this.asItCame(data, data, transport.tenure), maxAffected)
      }
      const refused = maxAffected === undefined ? undefined : limitTo(query, maxAffected)
      return refused === undefined ? query : Effect.fail(refused)
    }
  }
}

function asUntyped(service: Service): Database.UntypedWriter
function asUntyped(service: unknown): unknown {
  return service
}

/** What the tags of a database give; `Access` says of what type. */
export function make(operations: Operations["Type"]): ReaderWriter & Reader
export function make(operations: Operations["Type"]): unknown {
  return named(new Service(operations), operations.name)
}
