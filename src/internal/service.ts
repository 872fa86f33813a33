/** The service behind the tags of a database. */
import { Effect } from "effect"
import type { Reader, ReaderWriter } from "./access.js"
import { ask, askFor } from "./answer.js"
import type * as Database from "./database.js"
import { type AnyAnswer, type AnyOptions, type AnyQuery, type Anything, Derived } from "./derived.js"
import { asMade, named } from "./identity.js"
import { limitTo } from "./maxAffected.js"
import type { Body } from "./operation.js"
import type { Operations } from "./operations.js"
import { ofTransaction } from "./spans.js"
import type { TransactionOptions } from "./transaction/options.js"
import type { TransactionStep } from "./transaction/record.js"
import { run as runTransaction } from "./transaction/run.js"

/** One class for both tags: what `ReadDb` lacks, its type does not show. */
class Service extends Derived {
  protected readonly source: Database.Source<never>
  private readonly operations: Operations["Type"]

  constructor(operations: Operations["Type"]) {
    super()
    this.operations = operations
    const core = coreOf(this)
    this.source = { reading: Effect.succeed(core), writing: Effect.succeed(core) }
  }

  read(f: AnyQuery, options?: AnyOptions): Anything {
    return asMade(this.operations.run(this.dataOf(f), { mode: "read", as: options?.as, retry: options?.retry }))
  }

  write(f: AnyQuery, options?: Database.WriteOptions): Anything {
    const { idempotent, maxAffected, retry } = options ?? {}
    return asMade(this.operations.run(this.dataOf(f, maxAffected), { mode: "write", idempotent, retry }))
  }

  response(f: AnyAnswer, options?: AnyOptions): Anything {
    const { as, idempotent, maxAffected, pool = "read", retry } = options ?? {}
    const { now } = this.operations
    return asMade(
      this.operations.run((client, connection) => ask(f(client), connection.transport, now, maxAffected), {
        mode: pool,
        as,
        idempotent,
        retry
      })
    )
  }

  transaction(steps: ReadonlyArray<TransactionStep>, options?: TransactionOptions): Anything {
    const sent = runTransaction(steps, options?.idempotencyKey, (query, failed) =>
      this.operations.run(
        (client, connection) =>
          Effect.tapError(ask(query(client), connection.transport, this.operations.now), (error) =>
            Effect.sync(() => failed(error))
          ),
        { mode: "write", idempotent: true }
      )
    )
    return asMade(ofTransaction(steps.length, sent))
  }

  private dataOf(f: AnyQuery, maxAffected?: number): Body<unknown, unknown, unknown> {
    const { now } = this.operations
    return (client, connection) => {
      const query = f(client)
      if (!Effect.isEffect(query)) {
        return askFor(query, connection.transport, now, ({ data }) => data, maxAffected)
      }
      const refused = maxAffected === undefined ? undefined : limitTo(query, maxAffected)
      return refused === undefined ? query : Effect.fail(refused)
    }
  }
}

function coreOf(service: Service): Database.WriteCore
function coreOf(service: unknown): unknown {
  return service
}

/** What the tags of a database give; `Access` says of what type. */
export function make(operations: Operations["Type"]): ReaderWriter & Reader
export function make(operations: Operations["Type"]): unknown {
  return named(new Service(operations), operations.name)
}
