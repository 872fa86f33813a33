/**
 * What there is beside reading and writing, made of those: for a service, for a schema's accessors, and for a database of a
 * name of its own alike. What each gives is said by `Access`; in here nobody knows of what type a row is.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import { Effect, type Schema, type Stream } from "effect"
import { tableOf as asked } from "../connection/builderFields.js"
import type { TableSchema } from "../table/columns.js"
import { type AnyTableOptions, tableOf } from "../table/table.js"
import type { TransactionOptions } from "../transaction/options.js"
import type * as Database from "./database.js"
import { decodedBy, exactFor } from "./decoded.js"
import { asMade } from "./identity.js"
import type { PostgrestResult } from "./postgrestResult.js"
import { type AnyStreamOptions, type Ranged, streamOf } from "./stream.js"

export type Anything = Effect.Effect<unknown, unknown, unknown>

export type AnyQuery = (client: SupabaseClient) => Database.Query

export type AnyAnswer = (client: SupabaseClient) => PromiseLike<PostgrestResult>

export interface AnyOptions extends Omit<Database.ResponseOptions, "as"> {
  readonly as?: "service" | undefined
}

export abstract class Derived {
  protected abstract readonly source: Database.Source<unknown>

  abstract read(f: AnyQuery, options?: AnyOptions): Anything

  abstract write(f: AnyQuery, options?: Database.WriteOptions): Anything

  abstract response(f: AnyAnswer, options?: AnyOptions): Anything

  abstract transaction(steps: ReadonlyArray<Database.AnyStep>, options?: TransactionOptions): Anything

  abstract rpc(name: string, args?: Record<string, unknown>, options?: Database.RpcOptions): Anything

  readAs(schema: Schema.Schema<unknown>, f: AnyAnswer, options?: AnyOptions): Anything {
    return decoding(schema, f, "read", (heard) => this.read(heard, exactFor(schema, options)))
  }

  writeAs(schema: Schema.Schema<unknown>, f: AnyAnswer, options?: Database.WriteOptions): Anything {
    return decoding(schema, f, "write", (heard) => this.write(heard, exactFor(schema, options)))
  }

  rpcAs(
    schema: Schema.Schema<unknown>,
    name: string,
    args?: Record<string, unknown>,
    options?: Database.RpcOptions
  ): Anything {
    const stage = options?.get === true ? "read" : "write"
    return Effect.flatMap(
      this.rpc(name, args, exactFor(schema, options)),
      decodedBy(schema, stage, () => name)
    )
  }

  stream(f: (client: SupabaseClient) => Ranged, options?: AnyStreamOptions): Stream.Stream<unknown, unknown, unknown> {
    return streamOf(this.source, f, options)
  }

  table(name: string, schema: TableSchema, options?: AnyTableOptions): unknown {
    return tableOf(this.source, name, schema, options)
  }
}

/** The table is known when the query is made, which may be once for each attempt. */
const decoding = (
  schema: Schema.Schema<unknown>,
  f: AnyAnswer,
  stage: "read" | "write",
  send: (f: AnyAnswer) => Anything
): Anything => {
  const decoded = Effect.suspend(() => {
    let table = ""
    const heard: AnyAnswer = (client) => {
      const query = f(client)
      table = asked(query)
      return query
    }
    return Effect.flatMap(
      send(heard),
      decodedBy(schema, stage, () => table)
    )
  })
  return asMade(decoded)
}
