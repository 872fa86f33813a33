/** The service behind the tags of a database. */
import { Effect } from "effect"
import type { DbError } from "../../Errors.js"
import { asksForCount, tableOf } from "../connection/builderFields.js"
import { reads } from "../connection/fetchInput.js"
import { limitTo } from "../connection/maxAffected.js"
import type { Transport } from "../connection/transport.js"
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
import type { Body } from "./operation.js"
import type { Operations } from "./operationRunner.js"
import { ask, askFor, type PostgrestResult } from "./postgrestResult.js"
import { ofTransaction } from "./tracing.js"

const isUncounted = (answer: object): boolean => !("count" in answer && isCount(answer.count))

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
      this.operations.run(this.dataOf(f, options?.exact), { mode: "read", as: options?.as, retry: options?.retry })
    )
  }

  write(f: AnyQuery, options?: Database.WriteOptions): Anything {
    const { exact, idempotent, maxAffected, retry } = options ?? {}
    return asMade(this.operations.run(this.dataOf(f, exact, maxAffected), { mode: "write", idempotent, retry }))
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
    return asMade(
      call({
        db: this.core,
        name,
        args,
        options,
        perhapsCut: ({ data, method }) => this.asItCame(data, data, { method, path }),
        uncounted: ({ data, method }) => this.uncounted(data, { method, path })
      })
    )
  }

  private answered<A>(
    f: AnyAnswer,
    { as, exact = false, idempotent, maxAffected, pool = "read", retry }: AnyOptions = {},
    pick: (answer: PostgrestResult, query: unknown, transport: Transport) => Effect.Effect<A, DbError>
  ): Effect.Effect<A, DbError> {
    const { now } = this.operations
    return this.operations.run<A, DbError, never>(
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
      this.operations.run(
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
