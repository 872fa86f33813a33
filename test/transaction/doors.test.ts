/** Ways round the API's own bounds that a step could be, each of them closed as it is there. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Step } from "../../src/internal/transaction/step.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"
import { type Caller, codeOf, migrationUnderTest, type Outcome, scratch } from "../support/scratch.js"

const ann = "00000000-0000-4000-8000-000000000001"
const bob = "00000000-0000-4000-8000-000000000002"

const project = `
  create table public.mine (
    id int primary key, owner text default current_setting('request.jwt.claims', true)::jsonb ->> 'sub', body text,
    secret text default 'hidden', data jsonb default '{"pin": "1234"}', twice int generated always as (id * 2) stored
  );
  alter table public.mine enable row level security;
  create policy own on public.mine to authenticated
    using (owner = current_setting('request.jwt.claims', true)::jsonb ->> 'sub');
  insert into public.mine (id, owner, body) values (1, '${ann}', 'ann'), (2, '${bob}', 'bob');
  create table public.log (what text);
  alter table public.log enable row level security;
  create function public.note(what text) returns text language sql volatile security definer set search_path = ''
    as 'insert into public.log values (what); select what';
  create view public.noisy as select public.note('seen') as what;
  create function public.calm() returns text language sql stable as $$select public.note('calm')$$;
  create function public.calm(twice boolean) returns text language sql volatile as $$select public.note('loud')$$;
  create function public.setting(name text, value text) returns text language sql volatile as 'select set_config(name, value, true)';
  create function public.who() returns text language sql volatile
    as $$select current_user || ' ' || (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')$$;
  create function public.path() returns text language sql volatile as $$select current_setting('search_path')$$;
  create schema api;
  grant usage on schema api to authenticated;
  create function api.path() returns text language sql volatile as $$select current_setting('search_path')$$;
  create function api.shout(text) returns text language sql immutable as 'select upper($1)';
  create table api.words (id int, word text);
  create function api.shouted() returns trigger language plpgsql as 'begin new.word := shout(new.word); return new; end';
  create trigger shouted before insert on api.words for each row execute function api.shouted();
  grant all on api.words to authenticated;
  create or replace function supabase_pool.exposed_schemas() returns text[] language sql
    as $$select array['public', 'api', 'supabase_pool', 'pg_catalog']$$;
  revoke all on public.mine, public.log from anon, authenticated, service_role;
  grant select (id, owner, body), insert (id, owner, body), update (body, twice), delete on public.mine to authenticated;
`

const named = `
  create table public.docs (id int primary key, body text);
  insert into public.docs values (1, 'one'), (2, 'two');
  create view public.shown_docs as select * from public.docs;
  grant all on public.docs, public.shown_docs to authenticated;
  create function public.loud(public.docs) returns text language sql stable as 'select upper($1.body)';
  create function public.loud(public.shown_docs) returns text language sql stable as 'select upper($1.body)';
  create function public.added(int, public.docs) returns int language sql immutable as 'select $1 + $2.id';
  create aggregate public.sum_of(public.docs) (sfunc = public.added, stype = int, initcond = '0');
  create function public.rows_of(public.docs) returns setof public.docs language sql stable as 'select * from public.docs';
  create function public.any_row(anyelement) returns text language sql stable as 'select ''any''';
  create function api.elsewhere(public.docs) returns text language sql stable as 'select ''else''';
`

const user: Caller = { role: "authenticated", sub: ann }

const table = (step: Partial<Step> & { readonly op: Step["op"] }): Step => ({
  schema: "public",
  table: "mine",
  ...step
})
const call = (name: string, args: object = {}, schema = "public"): Step => ({
  ...{ op: "rpc", schema, function: name },
  rows: [args]
})
const noisy: Step = { op: "select", schema: "public", table: "noisy", returning: "*" }
const change: Step = table({ op: "update", columns: ["body"], rows: [{ body: "new" }], returning: [["body", "body"]] })

const said = (outcome: Outcome<{ readonly results?: ReadonlyArray<unknown> }>): unknown =>
  "refused" in outcome ? codeOf(outcome.refused) : outcome.gave.results

const forbidden = "42501"

describePostgres("a step", () => {
  layer(PostgresUrl.Live, { excludeTestServices: true, timeout: 60_000 })((it) => {
    const inProject = Effect.flatMap(migrationUnderTest, (migration) => scratch([migration, project]))

    const refused: Readonly<Record<string, readonly [step: Step, code: string]>> = {
      "gives back a column that may not be selected": [{ ...change, returning: [["secret", "secret"]] }, forbidden],
      "gives back all columns": [{ ...change, returning: "*" }, forbidden],
      "keeps one for a later step": [{ ...change, keep: ["secret"] }, forbidden],
      "asks by a filter what a hidden column has": [
        table({
          op: "select",
          filter: { and: [{ column: "secret", op: "like", value: { v: "h%" } }] },
          returning: [["id", "id"]]
        }),
        forbidden
      ],
      "asks so inside a hidden column's JSON": [
        table({
          op: "select",
          filter: { and: [{ column: "data", path: [["->>", "pin"]], op: "eq", value: { v: "1234" } }] },
          returning: [["id", "id"]]
        }),
        forbidden
      ],
      "asks so by a full-text search": [
        table({
          op: "select",
          filter: { and: [{ column: "secret", op: "plfts", value: { v: "hidden" } }] },
          returning: [["id", "id"]]
        }),
        forbidden
      ],
      "asks so in a deletion that gives nothing": [
        table({ op: "delete", filter: { and: [{ column: "secret", op: "eq", value: { v: "hidden" } }] } }),
        forbidden
      ],
      "orders by a hidden column's JSON": [
        table({
          op: "select",
          order: [{ column: "data", path: [["->", "pin"]], descending: false }],
          returning: [["id", "id"]]
        }),
        forbidden
      ],
      "upserts over a row of somebody else": [
        table({ op: "upsert", columns: ["id", "body"], rows: [{ id: 2, body: "mine" }], onConflict: ["id"] }),
        forbidden
      ],
      "writes a generated column": [table({ op: "update", columns: ["twice"], rows: [{ twice: 1 }] }), "428C9"],
      "fills a hidden column with its default": [
        table({ op: "insert", columns: ["id", "secret"], rows: [{ id: 9 }], missing: "default" }),
        forbidden
      ],
      "casts by the name of a column": [table({ op: "select", returning: [["id", "id::text"]] }), "42703"],
      "reads the records, where their schema is said to be open": [
        { op: "select", schema: "supabase_pool", table: "transactions", returning: "*" },
        forbidden
      ],
      "calls the functions beside them": [call("run_steps", { steps: [], path: "" }, "supabase_pool"), forbidden],
      "calls PostgreSQL's own": [
        call("set_config", { setting_name: "role", new_value: "postgres", is_local: true }, "pg_catalog"),
        forbidden
      ]
    }
    for (const [what, [step, code]] of Object.entries(refused)) {
      it.scoped(`that ${what} is refused as the API would refuse it`, () =>
        Effect.gen(function* () {
          const database = yield* inProject
          const allowed = table({ op: "select", returning: [["id", "id"]] })
          assert.strictEqual(said(yield* Effect.promise(() => database.transact(user, [allowed, step]))), code)
          assert.deepStrictEqual(
            yield* Effect.promise(() => database.run("select id, body, secret from public.mine order by id")),
            [
              { id: 1, body: "ann", secret: "hidden" },
              { id: 2, body: "bob", secret: "hidden" }
            ]
          )
        })
      )
    }

    it.scoped("that names a function where a column stands is refused, wherever it does", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() => database.run(named))
        const functions =
          "json_agg jsonb_agg array_agg count record_out pg_typeof pg_column_size row_to_json sum_of rows_of elsewhere any_row"
        for (const name of functions.split(" ")) {
          const plain = table({ op: "select", table: "docs", returning: [["id", "id"]] })
          const condition = { column: name, op: "is", value: { v: "not_null" } }
          const filters = [{ and: [condition] }, { and: [{ or: [{ not: condition }] }] }]
          const steps: ReadonlyArray<Step> = [
            { ...plain, returning: [["a", name]] },
            { ...plain, keep: ["id", name] },
            ...filters.map((filter) => ({ ...plain, filter })),
            { ...plain, filter: { and: [{ column: name, path: [["->>", "id"]], op: "eq", value: { v: "1" } }] } },
            { ...plain, order: [{ column: name, descending: false }] },
            table({ op: "delete", table: "docs", filter: { and: [condition] } }),
            table({ op: "update", table: "docs", columns: ["body"], rows: [{ body: "x" }], returning: [["a", name]] }),
            table({ op: "insert", table: "docs", columns: ["id"], rows: [{ id: 9 }], returning: [["a", name]] })
          ]
          for (const step of steps) {
            const outcome = yield* Effect.promise(() => database.transact(user, [step]))
            assert.strictEqual(said(outcome), "42703", JSON.stringify(step))
            assert.include("refused" in outcome ? outcome.refused.message : "", `public.docs.${name}`)
          }
        }
      })
    )

    it.scoped("that names a computed column, of the table or a view, has it, as the API gives it", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        yield* Effect.promise(() =>
          database.run(`${named}
            create function extensions.count(public.docs) returns int language sql stable as 'select 7'`)
        )
        const computed = { and: [{ column: "loud", op: "eq", value: { v: "TWO" } }] }
        const steps = ["docs", "shown_docs"].map((name) =>
          table({
            op: "select",
            table: name,
            filter: computed,
            order: [{ column: "loud", descending: true }],
            returning: [
              ["said", "loud"],
              ["id", "id"]
            ],
            keep: ["loud"]
          })
        )
        // One of the name of an aggregate, in a schema of the search path.
        const counted = table({ op: "select", table: "docs", limit: 1, returning: [["n", "count"]] })
        const path = '"public", "extensions"'
        assert.deepStrictEqual(
          said(yield* Effect.promise(() => database.transact({ ...user, path }, [...steps, counted]))),
          [[{ said: "TWO", id: 2 }], [{ said: "TWO", id: 2 }], [{ n: 7 }]]
        )
      })
    )

    it.scoped("that reads is read-only, as a GET is, and the next one may write again", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const outcomes: Array<unknown> = []
        for (const steps of [
          [noisy],
          [call("calm")],
          [change, noisy],
          [call("note", { what: "told" }), call("calm")],
          // The same name, and another function of it writes.
          [call("calm", { twice: true }), change, table({ op: "select", returning: [["id", "id"]] })]
        ]) {
          outcomes.push(said(yield* Effect.promise(() => database.transact(user, steps))))
        }
        assert.deepStrictEqual(outcomes, ["25006", "25006", "25006", "25006", ["loud", [{ body: "new" }], [{ id: 1 }]]])
        assert.deepStrictEqual(yield* Effect.promise(() => database.run("select * from public.log")), [
          { what: "loud" }
        ])
      })
    )

    const settings: Readonly<Record<string, readonly [name: string, value: string]>> = {
      "the claims": ["request.jwt.claims", JSON.stringify({ sub: bob, role: "authenticated" })],
      "the user, as Supabase used to name it": ["request.jwt.claim.sub", bob],
      "the role": ["role", "service_role"],
      "row level security": ["row_security", "off"],
      "the search path": ["search_path", "pg_temp"],
      "the time zone": ["TimeZone", "Asia/Tokyo"],
      "the headers": ["request.headers", '{"x-real-ip": "127.0.0.1"}']
    }
    for (const [what, [name, value]] of Object.entries(settings)) {
      it.scoped(`whose function sets ${what} sets it for itself, not for the steps after it`, () =>
        Effect.gen(function* () {
          const database = yield* inProject
          const look = call("setting_of", { name })
          yield* Effect.promise(() =>
            database.run(
              "create function public.setting_of(name text) returns text language sql volatile as 'select coalesce(current_setting(name, true), '''')'"
            )
          )
          const mine = table({ op: "select", returning: [["id", "id"]] })
          const steps = [call("who"), look, call("setting", { name, value }), look, mine, call("who"), change]
          const results = said(yield* Effect.promise(() => database.transact(user, steps, { key: "once" })))
          if (!Array.isArray(results)) return assert.fail(String(results))
          assert.strictEqual(results[3], results[1])
          assert.strictEqual(results[2], value)
          assert.deepStrictEqual([results[4], results[5], results[6]], [[{ id: 1 }], results[0], [{ body: "new" }]])
          // The record is the caller's, too.
          assert.deepStrictEqual(
            said(yield* Effect.promise(() => database.transact(user, steps, { key: "once" }))),
            results
          )
        })
      )
    }

    it.scoped("has the search path that a request of its schema would have", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const steps: ReadonlyArray<Step> = [
          call("path"),
          call("path", {}, "api"),
          {
            op: "insert",
            schema: "api",
            table: "words",
            columns: ["word"],
            rows: [{ word: "loud" }],
            returning: [["word", "word"]]
          },
          call("path")
        ]
        const path = '"public", "extensions"'
        const outcome = yield* Effect.promise(() => database.transact({ ...user, path }, steps))
        assert.deepStrictEqual(said(outcome), [path, `api, ${path}`, [{ word: "LOUD" }], path])
        const after = yield* Effect.promise(() =>
          database.run(
            "select public.supabase_pool_transaction('x', '[]') is not null as done; select current_setting('search_path') as path"
          )
        )
        assert.include(JSON.stringify(after), "public")
      })
    )

    it.scoped("that is one too many for maxAffected, or too slow, takes all others with it", () =>
      Effect.gen(function* () {
        const database = yield* inProject
        const steps = (...last: ReadonlyArray<Step>) => JSON.stringify([change, ...last]).replaceAll("'", "''")
        const many = Effect.promise(() =>
          database.transact(user, [call("note", { what: "x" }), { ...change, maxAffected: 0 }])
        )
        assert.strictEqual(said(yield* many), "21000")
        const slow = yield* Effect.promise(() =>
          database
            .run(
              `create function public.slow() returns void language sql volatile as 'select pg_sleep(20)';
               set statement_timeout = 200;
               select public.supabase_pool_transaction('slow', '${steps(call("setting", { name: "statement_timeout", value: "0" }), call("slow"))}')`
            )
            .then(
              () => "done",
              (error: { readonly code?: unknown }) => error.code
            )
        )
        assert.strictEqual(slow, "57014")
        const [row] = yield* Effect.promise(() =>
          database.run(
            "select (select count(*)::int from public.mine where body = 'new') as n, (select count(*)::int from public.log) as m"
          )
        )
        assert.deepStrictEqual(row, { n: 0, m: 0 })
      })
    )
  })
})
