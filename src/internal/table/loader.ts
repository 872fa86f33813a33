/**
 * Rows by key, many callers in one request.
 *
 * Whoever asks joins the batch of their identity and their key of the rate limit, which is asked for the whole batch: under
 * another's key nobody is let in, or kept out. A batch is sent when it has a connection: at once where one is idle,
 * after every fiber that is ready had its turn; where the pool is busy it grows meanwhile. No timer, no window.
 */

import type { SupabaseClient } from "@supabase/supabase-js"
import { Clock, Deferred, Effect, Either, Exit, Fiber, Option, Redacted, Request, RequestResolver } from "effect"
import { type DbError, RowNotFound } from "../../Errors.js"
import type { Placed } from "../db/database.js"
import { accessToken } from "../db/identity.js"
import { listIn } from "../db/list.js"
import type { PostgrestResult } from "../db/postgrestResult.js"
import { currentKey } from "../rateLimit/admission.js"
import { type Columns, isValues } from "./columns.js"
import { equality, listOf, type Scalar } from "./literal.js"
import type { MostRows } from "./mostRows.js"
import { fits, lengthOf, mostKeys } from "./parts.js"

/** Whose eyes a row is read with, and who is counted for it. */
export interface Identity {
  /** Of the rate limit. */
  readonly caller: string
  readonly as: "service" | undefined
  readonly token: Option.Option<Redacted.Redacted>
}

/** Two identities never share a batch. The key lives as long as the batch is open. */
const keyOf = ({ as, caller, token }: Identity): string => {
  const eyes = as ?? Option.match(token, { onNone: () => "anon", onSome: (user) => `user ${Redacted.value(user)}` })
  // With its length, so that no caller's key is another's with a part of an identity.
  return `${caller.length} ${caller} ${eyes}`
}

export type Read = (
  query: (client: SupabaseClient) => PromiseLike<PostgrestResult>,
  as: Identity["as"]
) => Effect.Effect<Placed, DbError>

type Found = ReadonlyMap<string, Either.Either<unknown, DbError>>

class Batch {
  readonly ids: Map<string, Scalar> = new Map()
  readonly result: Deferred.Deferred<Found, DbError>
  /** Characters of the list so far. */
  length = 0
  /** Callers that wait for it. */
  waiting = 0
  fiber: Fiber.RuntimeFiber<boolean> | undefined = undefined

  constructor(result: Deferred.Deferred<Found, DbError>) {
    this.result = result
  }

  /** Whether it takes this one, too. */
  takes(id: string): boolean {
    return this.ids.has(id) || (this.ids.size < mostKeys && fits(this.length, id))
  }

  add(id: string, value: Scalar): void {
    if (this.ids.has(id)) return
    this.ids.set(id, value)
    this.length += lengthOf(id)
  }
}

export class Loader {
  /** By the identity's key, which has the user's token in it: out of reach of whoever prints this. */
  readonly #open: Map<string, Batch> = new Map()
  private readonly columns: Columns
  private readonly seen: MostRows
  private readonly read: Read

  constructor(columns: Columns, seen: MostRows, read: Read) {
    this.columns = columns
    this.seen = seen
    this.read = read
  }

  /** What is found under each of these keys, by the key as text. Fails where nothing is known of any. */
  load(identity: Identity, ids: ReadonlyArray<Scalar>): Effect.Effect<Found, DbError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function* () {
        const batches = new Set<Batch>()
        for (const id of ids) {
          const batch = yield* this.place(identity, id)
          if (!batches.has(batch)) batch.waiting += 1
          batches.add(batch)
        }
        const all = Effect.forEach(batches, ({ result }) => Deferred.await(result))
        const found = yield* Effect.onExit(restore(all), () => this.leave(identity, batches))
        const [first, ...more] = found
        return more.length === 0 && first !== undefined ? first : new Map(found.flatMap((part) => [...part]))
      })
    )
  }

  private place(identity: Identity, id: Scalar): Effect.Effect<Batch> {
    const key = keyOf(identity)
    const name = String(id)
    const current = this.#open.get(key)
    if (current?.takes(name) === true) {
      current.add(name, id)
      return Effect.succeed(current)
    }
    return Effect.flatMap(Deferred.make<Found, DbError>(), (result) => {
      const batch = new Batch(result)
      batch.add(name, id)
      this.#open.set(key, batch)
      return Effect.map(Effect.forkDaemon(Effect.interruptible(this.run(batch, identity, key))), (fiber) => {
        batch.fiber = fiber
        return batch
      })
    })
  }

  /** Whoever is last to lose interest takes the request back. */
  private leave(identity: Identity, batches: ReadonlySet<Batch>): Effect.Effect<void> {
    return Effect.forEach(
      batches,
      (batch) => {
        batch.waiting -= 1
        if (batch.waiting > 0 || batch.fiber === undefined) return Effect.void
        this.close(batch, keyOf(identity))
        return Fiber.interrupt(batch.fiber)
      },
      { discard: true }
    )
  }

  private close(batch: Batch, key: string): void {
    if (this.#open.get(key) === batch) this.#open.delete(key)
  }

  private run(batch: Batch, identity: Identity, key: string): Effect.Effect<boolean> {
    const close = () => this.close(batch, key)
    const lookUp = Effect.suspend(() => this.lookUp(batch.ids, identity, close)).pipe(
      Effect.ensuring(Effect.sync(close)),
      Effect.locally(accessToken, identity.token),
      Effect.locally(currentKey, identity.caller)
    )
    // Behind everybody who is ready to run, and may be about to join.
    return Effect.zipRight(Effect.yieldNow({ priority: 1 }), Effect.intoDeferred(lookUp, batch.result))
  }

  private rows(
    ids: ReadonlyMap<string, Scalar>,
    { as }: Identity,
    onSend: () => void
  ): Effect.Effect<ReadonlyArray<unknown>, DbError> {
    const { key, selected, table } = this.columns
    const asked = this.read((client) => {
      onSend()
      const query = client.from(table).select(selected)
      const [[, only] = []] = ids.size === 1 ? ids : []
      return only === undefined || only === null
        ? query.filter(key.column, "in", listOf(ids.keys()))
        : query.filter(key.column, ...equality(only))
    }, as)
    return Effect.flatMap(asked, (answer) => listIn(answer, answer.data))
  }

  private lookUp(
    ids: ReadonlyMap<string, Scalar>,
    identity: Identity,
    onSend: () => void
  ): Effect.Effect<Found, DbError> {
    return Effect.matchEffect(this.rows(ids, identity, onSend), {
      onSuccess: (rows) => this.sorted(ids, identity, rows),
      onFailure: (error) => {
        // One of the keys is no value of the column (SQLSTATE class 22): the others shall not fail with it.
        if (error._tag !== "QueryError" || !/^22\w{3}$/.test(error.code)) return Effect.fail(error)
        if (ids.size === 1) return Effect.succeed(new Map([...ids.keys()].map((id) => [id, Either.left(error)])))
        const middle = Math.ceil(ids.size / 2)
        const halves = [[...ids].slice(0, middle), [...ids].slice(middle)]
        return this.merged(
          halves.map((half) => new Map(half)),
          identity
        )
      }
    })
  }

  private merged(parts: ReadonlyArray<ReadonlyMap<string, Scalar>>, identity: Identity): Effect.Effect<Found, DbError> {
    return Effect.map(
      Effect.forEach(parts, (ids) => this.lookUp(ids, identity, () => {}), { concurrency: 4 }),
      (found) => new Map(found.flatMap((part) => [...part]))
    )
  }

  /**
   * Each row to whom it belongs. What is missing of an answer that may be cut is asked for again: PostgREST cuts one at its
   * `db-max-rows` without a word. It is whole where a longer one was seen, or where it has no rows at all.
   */
  private sorted(
    ids: ReadonlyMap<string, Scalar>,
    identity: Identity,
    rows: ReadonlyArray<unknown>
  ): Effect.Effect<Found, DbError> {
    const { key } = this.columns
    const byKey = new Map<string, ReadonlyArray<unknown>>()
    for (const row of rows) {
      const name = ids.size === 1 ? [...ids.keys()].join() : isValues(row) ? String(row[key.column]) : ""
      byKey.set(name, [...(byKey.get(name) ?? []), row])
    }
    const asked = Effect.forEach([...ids.keys()], (id) =>
      Effect.map(Effect.either(this.only(id, byKey.get(id) ?? [])), (row) => [id, row] as const)
    )
    return Effect.flatMap(asked, (entries) => {
      const found = new Map(entries)
      const missing = [...ids].filter(([id]) => !byKey.has(id))
      if (missing.length === 0 || byKey.size === 0) return Effect.succeed(found)
      const others = [...byKey.keys()].every((name) => ids.has(name))
        ? this.cutOff(new Map(missing), identity, rows.length)
        : // Rows that nobody seems to have asked for: the database writes the key in another way (a UUID in capitals).
          this.merged(
            missing.map((entry) => new Map([entry])),
            identity
          )
      return Effect.map(others, (more) => new Map([...found, ...more]))
    })
  }

  /** Those that an answer of so many rows has not, and may have lacked the room for. */
  private cutOff(
    missing: ReadonlyMap<string, Scalar>,
    identity: Identity,
    rows: number
  ): Effect.Effect<Found, DbError> {
    const { seen } = this
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (!seen.mayCut(rows, now)) return Effect.succeed(new Map())
      return Effect.tap(
        this.lookUp(missing, identity, () => {}),
        (found) => {
          if ([...found.values()].some(Either.isRight)) seen.wasCut(rows)
        }
      )
    })
  }

  private only(id: string, rows: ReadonlyArray<unknown>): Effect.Effect<unknown, DbError> {
    const { table } = this.columns
    if (rows.length === 1) return Effect.succeed(rows[0])
    return Effect.fail(
      rows.length === 0
        ? new RowNotFound({ table, details: "", id })
        : this.columns.several(id, `${rows.length} rows have it`)
    )
  }
}

/** One row. Equal requests are the same row to the same eyes, so that Effect's request cache may answer. */
export class Get extends Request.TaggedClass("effect-supabase-pool/Get")<
  unknown,
  DbError,
  Identity & { readonly loader: Loader; readonly id: Scalar }
> {}

interface Group extends Identity {
  readonly loader: Loader
  readonly requests: Array<Get>
}

const groupsOf = (requests: ReadonlyArray<Get>): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  for (const request of requests) {
    const { as, caller, loader, token } = request
    const group = groups.find((it) => it.loader === loader && keyOf(it) === keyOf(request))
    if (group === undefined) groups.push({ as, caller, token, loader, requests: [request] })
    else group.requests.push(request)
  }
  return groups
}

const answer = ({ loader, requests, ...identity }: Group): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.exit(
      loader.load(
        identity,
        requests.map(({ id }) => id)
      )
    ),
    (exit) => Effect.forEach(requests, (request) => Request.complete(request, exitOf(request, exit)), { discard: true })
  )

const exitOf = (request: Get, exit: Exit.Exit<Found, DbError>): Exit.Exit<unknown, DbError> =>
  Exit.flatMap(exit, (found) => {
    const row = found.get(String(request.id))
    return row === undefined ? Exit.die(new Error("A batch forgot one of its ids.")) : Exit.fromEither(row)
  })

export const resolver: RequestResolver.RequestResolver<Get> = RequestResolver.makeBatched((requests: Array<Get>) =>
  Effect.forEach(groupsOf(requests), answer, { concurrency: "unbounded", discard: true })
)
