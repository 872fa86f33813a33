/** To whom a key belongs: the user of an issuer, the service role, or nobody in particular. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { type Answer, type Caller, codeOf, migrationUnderTest, type Outcome, scratch } from "../support/scratch.js"

const project = `
  create table public.notes (id int primary key generated always as identity, body text);
  grant select, insert on public.notes to anon, authenticated, service_role;
  do $$ begin create role guest nologin; exception when duplicate_object or unique_violation then null; end $$;
  grant usage on schema public, supabase_pool to guest;
  grant select, insert on public.notes to guest;
  grant select, insert, update, delete on supabase_pool.transactions to guest;
  grant execute on all functions in schema supabase_pool to guest;
  grant execute on function public.supabase_pool_transaction(text, jsonb),
    public.supabase_pool_transaction_settle(text) to anon, guest;
`

const inProject = Effect.flatMap(migrationUnderTest, (migration) => scratch([migration, project]))

const note = (body: string): Step => ({
  ...{ op: "insert", schema: "public", table: "notes", columns: ["body"], rows: [{ body }] },
  returning: [["body", "body"]]
})

const answer = (outcome: Outcome<Answer>): unknown => ("refused" in outcome ? codeOf(outcome.refused) : outcome.gave)
const fresh = (body: string) => ({ replayed: false, results: [[{ body }]] })
const again = (body: string) => ({ replayed: true, results: [[{ body }]] })

/** Always under the one key. */
const sendingTo = (database: Effect.Effect.Success<typeof inProject>) => (caller: Caller, body: string) =>
  Effect.map(
    Effect.promise(() => database.transact(caller, [note(body)], { key: "key" })),
    answer
  )

const role = "authenticated"

/** Each of these two is somebody else. */
const strangers: Readonly<Record<string, readonly [one: Caller, other: Caller]>> = {
  "users of one issuer": [
    { role, sub: "1", claims: { iss: "a" } },
    { role, sub: "2", claims: { iss: "a" } }
  ],
  "users of the same name of two issuers": [
    { role, sub: "1", claims: { iss: "a" } },
    { role, sub: "1", claims: { iss: "b" } }
  ],
  "users of an issuer and of none": [
    { role, sub: "1", claims: { iss: "a" } },
    { role, sub: "1" }
  ],
  "users whose names and issuers read the same side by side": [
    { role, sub: "1,a", claims: { iss: "b" } },
    { role, sub: "1", claims: { iss: "a,b" } }
  ],
  "users whom each claim has a setting for": [
    { role, settings: { "request.jwt.claims": "", "request.jwt.claim.sub": "1" } },
    { role, settings: { "request.jwt.claims": "", "request.jwt.claim.sub": "2" } }
  ],
  "users so of two issuers": [
    { role, settings: { "request.jwt.claims": "", "request.jwt.claim.sub": "1", "request.jwt.claim.iss": "a" } },
    { role, settings: { "request.jwt.claims": "", "request.jwt.claim.sub": "1", "request.jwt.claim.iss": "b" } }
  ],
  "clients without a user": [
    { role, claims: { client_id: "A" } },
    { role, claims: { client_id: "B" } }
  ],
  "a client without a user and a user": [
    { role, claims: { client_id: "A" } },
    { role, sub: "1" }
  ],
  "the anonymous of two roles": [{ role: "anon" }, { role: "guest" }]
}

/** Who they are cannot be known: their tokens say the same, apart from what each token has of its own. */
const alike: Readonly<Record<string, readonly [one: Caller, other: Caller]>> = {
  "the anonymous": [{ role: "anon" }, { role: "anon", claims: { iat: 1, exp: 2 } }],
  "the anonymous of another role": [{ role: "guest" }, { role: "guest" }],
  "a client without a user": [
    { role, claims: { client_id: "A", exp: 1, jti: "x" } },
    { role, claims: { client_id: "A", exp: 2, jti: "y", nbf: 3 } }
  ],
  "users without a name": [
    { role, sub: "" },
    { role, sub: "" }
  ]
}

describePostgres("a key", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    for (const [what, [one, other]] of Object.entries(strangers)) {
      it.scoped(`of ${what} is another key`, () =>
        Effect.gen(function* () {
          const database = yield* inProject
          const send = sendingTo(database)
          assert.deepStrictEqual(yield* send(one, "same"), fresh("same"))
          assert.deepStrictEqual(yield* send(other, "same"), fresh("same"))
          assert.deepStrictEqual(yield* send(one, "same"), again("same"))
          yield* Effect.promise(() => database.settle(other, "free"))
          const free = yield* Effect.promise(() => database.transact(one, [note("free")], { key: "free" }))
          assert.deepStrictEqual(answer(free), fresh("free"))
        })
      )
    }

    for (const [what, [one, other]] of Object.entries(alike)) {
      it.scoped(`of ${what} is one with the steps, and nobody can settle it`, () =>
        Effect.gen(function* () {
          const database = yield* inProject
          const send = sendingTo(database)
          assert.deepStrictEqual(yield* send(one, "one"), fresh("one"))
          assert.deepStrictEqual(yield* send(other, "other"), fresh("other"))
          assert.deepStrictEqual(yield* send(other, "one"), again("one"))
          const settled = yield* Effect.promise(() => database.settle(other, "key"))
          assert.strictEqual("refused" in settled ? settled.refused.code : "", "42501")
        })
      )
    }

    it.scoped("of the service role is one whatever else its token has, and can be settled by another process", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const service = (claims: object): Caller => ({ role: "service_role", claims: { ...claims } })
        const first = yield* Effect.promise(() =>
          database.transact(service({ iss: "supabase", ref: "x" }), [note("one")], { key: "key" })
        )
        assert.deepStrictEqual(answer(first), fresh("one"))
        const second = yield* Effect.promise(() =>
          database.transact(service({ iss: "gateway" }), [note("one")], { key: "key" })
        )
        assert.deepStrictEqual(answer(second), again("one"))
        assert.deepStrictEqual(yield* Effect.promise(() => database.settle(service({}), "key")), {
          gave: [{ answer: '{"executed": true}' }]
        })
      })
    )
  })
})
