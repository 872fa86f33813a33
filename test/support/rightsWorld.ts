/**
 * A random division of rights: tables, partitions, views, column grants and policies, and who asks for what. The
 * relations are always the same; who may do what with them is not.
 */
import type { SupabaseClient } from "@supabase/supabase-js"
import * as fc from "effect/FastCheck"
import type { StepFunction } from "../../src/internal/transaction/record.js"

export const users = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const

const shape = "id int, owner text, body text, secret text, n int, data jsonb"

const columns = ["id", "owner", "body", "secret", "n", "data"] as const

/** As a record of JSON is read. */
export const types: Readonly<Record<string, string>> = {
  ...{ id: "int", owner: "text", body: "text", secret: "text", n: "int", data: "jsonb" }
}

/** Those that have rows of their own, or take them. */
const tables = ["rw_plain", "rw_heir", "rw_parts", "rw_low", "rw_high", "rw_deep", "rw_deepest"]
const others = ["rw_view", "rw_invoker", "rw_low_view", "rw_noisy", "rw_stored"]

const relations: ReadonlyArray<string> = [...tables, ...others, "rw_absent"]

export const relationsSql = `
  create table public.rw_plain (${shape}, primary key (id));
  create table public.rw_heir (primary key (id)) inherits (public.rw_plain);
  create table public.rw_parts (${shape}, primary key (id)) partition by range (id);
  create table public.rw_low partition of public.rw_parts for values from (0) to (3);
  create table public.rw_high partition of public.rw_parts for values from (3) to (6);
  create table public.rw_deep partition of public.rw_parts for values from (6) to (1000) partition by range (id);
  create table public.rw_deepest partition of public.rw_deep for values from (6) to (1000);
  create schema rw_hidden;
  create table rw_hidden.log (id int);
  create function public.rw_note(id int) returns int language sql volatile security definer set search_path = ''
    as 'insert into rw_hidden.log values (id); select id';
  create view public.rw_view as select * from public.rw_plain;
  create view public.rw_invoker with (security_invoker = true) as select * from public.rw_plain;
  create view public.rw_low_view as select * from public.rw_low;
  create view public.rw_noisy as select p.*, public.rw_note(p.id) as noted from public.rw_plain p;
  create materialized view public.rw_stored as select * from public.rw_plain;
  create function public.rw_count() returns bigint language sql stable as 'select count(secret) from public.rw_plain';
  create function public.rw_change() returns setof public.rw_plain language sql volatile
    as $$update public.rw_plain set body = 'changed' returning *$$;
  create function public.rw_become() returns text language sql volatile
    as $$select set_config('request.jwt.claims', '{"sub": "${users[1]}"}', true) || set_config('search_path', 'pg_temp', true)$$;
  create function public.rw_definer() returns bigint language sql stable security definer
    as 'select count(*) from public.rw_plain';
`

const rowsOf = (table: string, ids: ReadonlyArray<number>): string =>
  `insert into public.${table} values ${ids
    .map((id) => `(${id}, '${users[id % 2]}', 'body ${id}', 'secret ${id}', ${id % 3}, '{"k": ${id % 2}}')`)
    .join(", ")};`

/** The rows that every case begins with. */
export const rowsSql = `
  truncate public.rw_plain, public.rw_parts, rw_hidden.log;
  ${rowsOf("rw_plain", [1, 2, 3])} ${rowsOf("rw_heir", [4, 5])} ${rowsOf("rw_parts", [1, 2, 4, 7])}
  refresh materialized view public.rw_stored;
`

/** All there is, as text. */
export const leftSql = `
  select coalesce(jsonb_agg(r order by r), '[]')::text as rows from (
    select to_jsonb(p) || jsonb_build_object('in', tableoid::regclass::text) from public.rw_plain p
    union all select to_jsonb(p) || jsonb_build_object('in', tableoid::regclass::text) from public.rw_parts p
    union all select to_jsonb(l) from rw_hidden.log l
  ) as rows(r)
`

// -------------------------------------------------------------------------------------
// rights
// -------------------------------------------------------------------------------------

export const roles = ["anon", "authenticated", "service_role"] as const

const conditions = [
  "true",
  "false",
  "id < 3",
  "n = 1",
  "secret is not null",
  "owner = (select current_setting('request.jwt.claims', true)::jsonb ->> 'sub')",
  "exists (select from public.rw_plain q where q.n = 2)"
]

const role = fc.constantFrom(...roles)
const some = fc.subarray([...columns], { minLength: 1 })

const grant = fc
  .tuple(
    fc.constantFrom(...tables, ...others),
    role,
    fc.subarray(["select", "insert", "update", "delete"]),
    fc.option(some)
  )
  .map(([relation, who, verbs, only]) =>
    verbs
      .map((verb) =>
        only === null || verb === "delete"
          ? `grant ${verb} on public.${relation} to ${who};`
          : `grant ${verb} (${only.join(", ")}) on public.${relation} to ${who};`
      )
      .join(" ")
  )

const policy = fc
  .tuple(
    fc.constantFrom(...tables),
    fc.constantFrom("all", "select", "insert", "update", "delete"),
    fc.constantFrom(...roles, "public"),
    fc.constantFrom(...conditions),
    fc.constantFrom(...conditions),
    fc.constantFrom("permissive", "permissive", "permissive", "restrictive")
  )
  .map(([table, verb, who, using, check, kind]) => {
    const clauses = [
      verb === "insert" ? "" : ` using (${using})`,
      verb === "select" || verb === "delete" ? "" : ` with check (${check})`
    ].join("")
    return (n: number) => `create policy "policy ${n}" on public.${table} as ${kind} for ${verb} to ${who}${clauses};`
  })

const guarded = fc
  .subarray(tables)
  .map((names) => names.map((name) => `alter table public.${name} enable row level security;`))

const executable = fc
  .subarray(["rw_count()", "rw_change()", "rw_become()", "rw_definer()", "rw_note(int)"])
  .map((names) => names.map((name) => `grant execute on function public.${name} to anon, authenticated, service_role;`))

/** Nobody may do anything. */
const resetSql = `
  do $$
  declare p record;
  begin
    for p in select polname, polrelid::regclass as relation from pg_policy where polrelid::regclass::text ~ '^(public[.])?rw_' loop
      execute format('drop policy %I on %s', p.polname, p.relation);
    end loop;
  end
  $$;
  ${tables.map((name) => `alter table public.${name} disable row level security;`).join(" ")}
  revoke all on ${[...tables, ...others].map((name) => `public.${name}`).join(", ")} from public, anon, authenticated, service_role;
  ${[...tables, ...others].map((name) => `revoke all (${columns.join(", ")}) on public.${name} from public, anon, authenticated, service_role;`).join(" ")}
  revoke all on function public.rw_count(), public.rw_change(), public.rw_become(), public.rw_definer(), public.rw_note(int)
    from public, anon, authenticated, service_role;
`

export interface World {
  readonly rights: ReadonlyArray<string>
}

export const worldSql = ({ rights }: World): string => [resetSql, ...rights].join("\n")

/** Much is granted, so that policies and columns decide; little, so that grants do. */
export const world: fc.Arbitrary<World> = fc
  .record({
    grants: fc.array(grant, { maxLength: 40, size: "max" }),
    wide: fc.subarray([...roles]),
    policies: fc.array(policy, { maxLength: 14, size: "max" }),
    guarded,
    executable
  })
  .map(({ executable, grants, guarded, policies, wide }) => ({
    rights: [
      ...wide.map(
        (who) => `grant all on ${[...tables, ...others].map((name) => `public.${name}`).join(", ")} to ${who};`
      ),
      ...grants,
      ...guarded,
      ...policies.map((sql, n) => sql(n)),
      ...executable
    ]
  }))

// -------------------------------------------------------------------------------------
// who asks for what
// -------------------------------------------------------------------------------------

export interface Condition {
  readonly column: string
  readonly operator: string
  readonly value: string
}

export interface Act {
  readonly role: (typeof roles)[number]
  readonly sub?: string
  readonly op: "select" | "insert" | "upsert" | "update" | "delete" | "rpc"
  readonly relation: string
  readonly row: Readonly<Record<string, unknown>>
  readonly filter: ReadonlyArray<Condition>
  readonly order?: string
  /** `undefined` where nothing is to be given back. */
  readonly gives?: ReadonlyArray<string> | "*"
  /** What a later step would refer to. */
  readonly keep: ReadonlyArray<string>
}

const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  id: fc.integer({ min: 0, max: 9 }),
  owner: fc.constantFrom(...users),
  body: fc.constantFrom("new", "secret 1"),
  secret: fc.constantFrom("told", null),
  n: fc.integer({ min: 0, max: 2 }),
  data: fc.constantFrom({ k: 1 }, null)
}

const condition: fc.Arbitrary<Condition> = fc
  .constantFrom(
    ["id", "lt", "3"],
    ["id", "gte", "3"],
    ["id", "eq", "4"],
    ["n", "eq", "1"],
    ["owner", "eq", users[0]],
    ["body", "like", "body*"],
    ["secret", "eq", "secret 1"],
    ["secret", "like", "s*"],
    ["secret", "is", "null"],
    ["data->>k", "eq", "1"]
  )
  .map(([column = "", operator = "", value = ""]) => ({ column, operator, value }))

const row = fc.record(values, { requiredKeys: ["id"] })

/** A request for one thing. */
const act: fc.Arbitrary<Act> = fc
  .record(
    {
      role,
      sub: fc.constantFrom(...users),
      op: fc.constantFrom<Act["op"]>(
        "select",
        "select",
        "select",
        "insert",
        "upsert",
        "update",
        "update",
        "delete",
        "rpc"
      ),
      relation: fc.constantFrom(...relations),
      called: fc.constantFrom("rw_count", "rw_change", "rw_become", "rw_definer"),
      row,
      filter: fc.array(condition, { maxLength: 2 }),
      order: fc.constantFrom(...columns),
      gives: fc.oneof(some, fc.constant("*" as const)),
      keep: fc.oneof({ weight: 3, arbitrary: fc.constant<ReadonlyArray<string>>([]) }, some)
    },
    { requiredKeys: ["role", "op", "relation", "called", "row", "filter", "keep"] }
  )
  .map(({ called, filter, gives, keep, op, order, relation, role: who, row: given, sub }) => ({
    role: who,
    ...(sub === undefined || who === "anon" ? {} : { sub }),
    op,
    relation: op === "rpc" ? called : relation,
    row: given,
    filter: op === "select" || op === "update" || op === "delete" ? filter : [],
    ...(op === "select" && order !== undefined ? { order } : {}),
    ...(op === "select" ? { gives: gives ?? "*" } : gives === undefined ? {} : { gives }),
    keep: op === "rpc" ? [] : keep
  }))

/** Requests of one caller, one after the other: a transaction, made in one. */
export const request: fc.Arbitrary<ReadonlyArray<Act>> = fc
  .tuple(act, fc.oneof({ weight: 2, arbitrary: fc.constant<ReadonlyArray<Act>>([]) }, fc.array(act, { maxLength: 2 })))
  .map(([first, others]) => {
    const { role: who, sub } = first
    return [
      first,
      ...others.map(({ sub: _, ...one }) => ({ ...one, role: who, ...(sub === undefined ? {} : { sub }) }))
    ]
  })

const selected = (gives: ReadonlyArray<string> | "*"): string => (gives === "*" ? "*" : gives.join(", "))

interface Filterable {
  readonly filter: (column: string, operator: string, value: string) => unknown
}

const narrowed = <Q extends Filterable>(query: Q, { filter }: Act): Q => {
  for (const { column, operator, value } of filter) query.filter(column, operator, value)
  return query
}

/** As a user of supabase-js writes it. */
export const stepOf =
  (one: Act): StepFunction =>
  (client: SupabaseClient) => {
    const { gives, op, order, relation, row: given } = one
    if (op === "rpc") return client.rpc(relation)
    const from = client.from(relation)
    if (op === "select") {
      const query = narrowed(from.select(selected(gives ?? "*")), one)
      return order === undefined ? query : query.order(order)
    }
    const query =
      op === "insert"
        ? from.insert(given)
        : op === "upsert"
          ? from.upsert(given)
          : narrowed(op === "update" ? from.update(given) : from.delete(), one)
    return gives === undefined ? query : query.select(selected(gives))
  }
