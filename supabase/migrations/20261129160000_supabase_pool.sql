-- What effect-supabase-pool needs in the database: a ping, and transactions that happen exactly once. Version 4: whole in
-- itself, so that a new project needs this file alone, and a project that has an earlier one this one after it.
--
-- Nothing here gives anybody a right: whatever a step does is done as whoever calls (security invoker), so grants and row
-- level security hold; a step reaches what PostgREST shows and nothing else; identifiers go through %I and values through
-- %L or as parameters; no text of a caller's is ever SQL. The one definer function, sweep, takes nothing and deletes
-- records of transactions that are a day old. The file can be applied again at any time: what a project has replaced or
-- granted stays.
--
-- Names without a schema are PostgreSQL's own: every function has a search path of its own, with pg_temp last, where types
-- would be looked for first. The SQL of steps, which alone runs with the path of the request, writes pg_catalog before
-- everything: a function or an operator of the same name elsewhere would run with the rights of all who call.
--
-- The functions are PL/pgSQL, those of one expression too: a session keeps their plans, while a function in SQL with a
-- search path of its own is parsed and planned anew by every statement that calls it.

create schema if not exists supabase_pool;

comment on schema supabase_pool is 'effect-supabase-pool: bookkeeping of transactions. Do not expose it in the API.';

-- The pool asks this to learn whether the database answers.
create or replace function public.supabase_pool_ping()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as 'select true';

-- What a project can replace to have other limits. Applying this file again leaves a replaced one alone.
do $do$
declare
  default_of record;
begin
  for default_of in
    select * from (values
      -- The schemas that transactions may touch: as PostgREST's db-schemas, it keeps the API from showing what the roles
      -- could reach in SQL.
      ('exposed_schemas', 'text[]', 'immutable', 'array[''public'']', 'select array[''public'']'),
      -- Where a step looks for functions, operators and types after its own schema: as PostgREST's db-extra-search-path.
      ('extra_search_path', 'text', 'immutable', $$'"public", "extensions"'$$, null),
      -- The most rows that a step gives back, as PostgREST's db-max-rows; null for no limit. An insert gives back as many
      -- as it was given.
      ('max_rows', 'integer', 'immutable', '1000', 'select 1000'),
      -- The most rows that all steps of a transaction give back; null for no limit.
      ('max_total_rows', 'bigint', 'stable', '10 * supabase_pool.max_rows()::bigint', 'select 10 * supabase_pool.max_rows()::bigint'),
      -- The most steps of a transaction that has several; null for no limit.
      ('max_steps', 'integer', 'immutable', '1000', 'select 1000'),
      -- The largest result, in bytes of JSON, that is kept for a second arrival. Of a larger one it is only known that it
      -- was executed.
      ('max_kept_bytes', 'integer', 'immutable', '32768', 'select 32768'),
      -- The most keys that a caller may settle within a day without a transaction under them: each is a record. Null for
      -- no limit; there is none for a role that row level security does not bind.
      ('max_settled', 'integer', 'immutable', '100', 'select 100')
    ) as listed (name, type, volatility, value, before)
  loop
    -- A default of an earlier version was written in SQL: it is made anew as one whose plan is kept.
    if (
      select p.prosrc is distinct from default_of.before from pg_catalog.pg_proc p
      where p.oid = pg_catalog.to_regprocedure('supabase_pool.' || default_of.name || '()')
    ) then
      continue;
    end if;
    execute pg_catalog.format(
      'create or replace function supabase_pool.%I() returns %s language plpgsql %s set search_path = pg_catalog, pg_temp as %L',
      default_of.name, default_of.type, default_of.volatility, 'begin return ' || default_of.value || '; end'
    );
  end loop;
end
$do$;

-- A claim of the token; those that PostgREST set singly, of old, come first, as in Supabase's auth.uid().
create or replace function supabase_pool.claim(name text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    nullif(current_setting('request.jwt.claim.' || name, true), ''),
    nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> name, '')
  );
end
$$;

-- The role of the request. Not current_user, which within a definer function is its owner: nobody has a role set that they
-- are not a member of.
create or replace function supabase_pool.request_role()
returns name
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(nullif(current_setting('role'), 'none'), session_user);
end
$$;

-- Whose transaction it is. With a user: the role, the issuer, and the user, which is one within its issuer. Without one:
-- the role alone where row level security does not bind it, since nothing is hidden from it; else nobody in particular,
-- apart from others by the rest of the token, of which what changes with each one is left out.
create or replace function supabase_pool.caller()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  sub constant text := coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), nullif(claims ->> 'sub', ''));
  me constant text := supabase_pool.request_role();
begin
  if sub is not null then
    return jsonb_build_array(
      'user', me, coalesce(nullif(current_setting('request.jwt.claim.iss', true), ''), nullif(claims ->> 'iss', '')), sub
    )::text;
  end if;
  if (select r.rolbypassrls or r.rolsuper from pg_catalog.pg_roles r where r.rolname = me) then
    return me || ':';
  end if;
  return jsonb_build_array('nobody', me, encode(sha256(convert_to(
    (coalesce(claims, '{}') - '{exp,iat,nbf,jti}'::text[])::text, 'UTF8'
  )), 'hex'))::text;
end
$$;

-- Whether a caller is nobody in particular: somebody else may be the same caller.
create or replace function supabase_pool.is_nobody(caller text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return starts_with(caller, '["nobody"');
end
$$;

-- As whom version 1 recorded the caller, whose records are honoured; null where that one could be somebody else. No
-- record of this version is under such a name but those of the roles that are named as before.
create or replace function supabase_pool.caller_of_version_1()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not supabase_pool.is_nobody(supabase_pool.caller()) or supabase_pool.request_role() = 'anon' then
    return supabase_pool.request_role() || ':' || coalesce(supabase_pool.claim('sub'), '');
  end if;
  return null;
end
$$;

-- A text in 16 bytes: the first half of its SHA-256.
create or replace function supabase_pool.digest(whole text)
returns uuid
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return encode(substr(sha256(convert_to(whole, 'UTF8')), 1, 16), 'hex')::uuid;
end
$$;

-- ---------------------------------------------------------------------------------------------------- records

do $do$
declare
  records regclass := pg_catalog.to_regclass('supabase_pool.transactions');
begin
  -- Those of an earlier version, whose keys are texts, stay as they are: they are looked at for as long as they count.
  if exists (
    select from pg_catalog.pg_attribute a where a.attrelid = records and a.attname = 'key' and a.atttypid = 'pg_catalog.text'::pg_catalog.regtype
  ) then
    alter table supabase_pool.transactions rename to transactions_before_4;
    alter table supabase_pool.transactions_before_4 rename constraint transactions_pkey to transactions_before_4_pkey;
    alter index if exists supabase_pool.transactions_created_at rename to transactions_before_4_created_at;
    drop index if exists supabase_pool.transactions_settled;
    drop policy if exists "own transactions" on supabase_pool.transactions_before_4;
    drop policy if exists "transactions of version 1" on supabase_pool.transactions_before_4;
  end if;
end
$do$;

-- Records of earlier versions; in a new project none.
create table if not exists supabase_pool.transactions_before_4 (
  caller text not null,
  key text not null,
  fingerprint text not null,
  result jsonb,
  created_at timestamptz not null default now(),
  constraint transactions_before_4_pkey primary key (caller, key)
);

create index if not exists transactions_before_4_created_at on supabase_pool.transactions_before_4 (created_at);

alter table supabase_pool.transactions_before_4 enable row level security;

-- key is the digest of the caller and the idempotency key, fingerprint that of the steps; without one the key was settled.
-- A result that is null was too large to be kept. Deleted rows are a small share of it before their room is used again.
create table if not exists supabase_pool.transactions (
  key uuid primary key,
  caller uuid not null,
  fingerprint uuid,
  created_at timestamptz not null default now(),
  result jsonb
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- By which the keys that a caller has settled are counted: the others are not in it.
create index if not exists transactions_settled on supabase_pool.transactions (caller, created_at) where fingerprint is null;

alter table supabase_pool.transactions enable row level security;

do $do$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('transactions_before_4', 'own transactions', 'for select using (caller in ((select supabase_pool.caller()), (select supabase_pool.caller_of_version_1())))'),
      ('transactions', 'own transactions', 'for select using (caller = (select supabase_pool.digest(supabase_pool.caller())))')
    ) as listed (relation, name, rule)
  loop
    -- Dropping one and making it anew would wait for all transactions that run.
    if not exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = ('supabase_pool.' || wanted.relation)::pg_catalog.regclass and p.polname = wanted.name
    ) then
      execute pg_catalog.format('create policy %I on supabase_pool.%I %s', wanted.name, wanted.relation, wanted.rule);
    end if;
  end loop;
end
$do$;

-- When records were swept last, in milliseconds, and the page of the table where the next sweep begins. Sequences: they
-- are written in place, whoever holds an old snapshot, and no two callers wait for each other.
create sequence if not exists supabase_pool.swept_at minvalue 0 start 0 no cycle;
create sequence if not exists supabase_pool.sweep_page minvalue 0 start 0 no cycle;

-- Deletes records older than a day, whosever they are: their owners may never come back to do it. Seldom (once a second at
-- most, whoever calls), one at a time (the lock is tried and not waited for), and bounded: 1,000 records of 128 pages. The
-- pages are taken in turn, so that what is deleted and cannot be vacuumed yet is not walked over again and again. Nothing
-- that goes wrong here is an error of the caller's transaction; a sweeper that dies has deleted nothing.
create or replace function supabase_pool.sweep()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  at_once constant bigint := 1000;
  pages_at_once constant bigint := 128;
  this_moment constant bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  pages bigint;
  page bigint;
  deleted bigint;
begin
  if (select this_moment - s.last_value between 0 and 999 from supabase_pool.swept_at s)
    or not pg_try_advisory_xact_lock(hashtextextended('supabase_pool.sweep', 0)) then
    return;
  end if;
  perform setval('supabase_pool.swept_at', this_moment);
  pages := pg_relation_size('supabase_pool.transactions') / current_setting('block_size')::bigint;
  select s.last_value into page from supabase_pool.sweep_page s;
  page := case when page < pages then page else 0 end;
  with old as materialized (
    select t.ctid as place from supabase_pool.transactions t
    where t.ctid >= format('(%s,0)', page)::tid and t.ctid < format('(%s,0)', page + pages_at_once)::tid
      and t.created_at < now() - interval '1 day'
    limit at_once
    for update skip locked
  )
  delete from supabase_pool.transactions t using old where t.ctid = old.place;
  get diagnostics deleted = row_count;
  if deleted < at_once then
    perform setval('supabase_pool.sweep_page', page + pages_at_once);
  end if;
  if pg_relation_size('supabase_pool.transactions_before_4') > 0 then
    perform supabase_pool.sweep_before_4();
  end if;
exception when others then
  null;
end
$$;
revoke all on function supabase_pool.sweep() from public;

-- Empties the table of earlier versions at once when its youngest record is a day old; not while somebody reads it.
create or replace function supabase_pool.sweep_before_4()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from supabase_pool.transactions_before_4 t where t.created_at >= now() - interval '1 day') then
    return;
  end if;
  lock table supabase_pool.transactions_before_4 in access exclusive mode nowait;
  truncate table supabase_pool.transactions_before_4;
end
$$;
revoke all on function supabase_pool.sweep_before_4() from public;

-- ---------------------------------------------------------------------------------------------------- values

-- kept has the rows that later steps refer to, by the number of their step: {"0": {"id": …}}, null where there was none.

create or replace function supabase_pool.referred(step integer, col text, kept jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(kept -> step::text) is distinct from 'object' then
    raise exception 'step % gave no row to refer to', step using errcode = 'P0002';
  end if;
  if not (kept -> step::text) ? col then
    raise exception 'the row of step % has no column %', step, quote_ident(col) using errcode = '42703';
  end if;
  return kept -> step::text -> col;
end
$$;

-- A value of a step, as text: {"v": text} is the text, {"r": [step, column]} is what an earlier step's first row has.
create or replace function supabase_pool.value_of(value jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if value ? 'r' then
    return supabase_pool.referred((value #>> '{r,0}')::integer, value #>> '{r,1}', kept) #>> '{}';
  end if;
  return value ->> 'v';
end
$$;

-- A row with its references replaced: [[path, step, column], …].
create or replace function supabase_pool.row_with_references(given jsonb, refs jsonb, kept jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  ref jsonb;
begin
  for ref in select * from jsonb_array_elements(coalesce(refs, '[]')) loop
    given := jsonb_set(
      given,
      array(select jsonb_array_elements_text(ref -> 0)),
      supabase_pool.referred((ref ->> 1)::integer, ref ->> 2, kept)
    );
  end loop;
  return given;
end
$$;

-- The rows of a step; refs has the references of each row by its number.
create or replace function supabase_pool.rows_of(step jsonb, kept jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_agg(
      supabase_pool.row_with_references(given, step -> 'refs' -> (position - 1)::text, kept) order by position
    )
    from jsonb_array_elements(step -> 'rows') with ordinality as listed(given, position)
  );
end
$$;

-- ---------------------------------------------------------------------------------------------------- SQL text

-- The schemas in which PostgreSQL looks for a function under that search path; its own schema is not among them.
create or replace function supabase_pool.schemas_of(path text)
returns name[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Of this call alone: the function has a setting of its own, which ends with it.
  perform set_config('search_path', path, true);
  return array_remove(pg_catalog.current_schemas(false), 'pg_catalog');
end
$$;

-- The type of a column, or of a computed one; of a domain what it is made of. What PostgREST decides by it is decided by
-- it here: what "->" and the text search take.
create or replace function supabase_pool.type_of(relation oid, col text, path text)
returns regtype
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_type oid;
  base oid;
begin
  select a.atttypid into found_type from pg_catalog.pg_attribute a
  where a.attrelid = relation and a.attname = col::name and a.attnum > 0 and not a.attisdropped;
  if not found then
    select p.prorettype into found_type
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_class c on c.reltype = p.proargtypes[0]
    where c.oid = relation and p.proname = col::name and n.nspname = any (supabase_pool.schemas_of(path))
    order by array_position(supabase_pool.schemas_of(path), n.nspname) limit 1;
  end if;
  loop
    select y.typbasetype into base from pg_catalog.pg_type y where y.oid = found_type and y.typtype = 'd';
    exit when not found;
    found_type := base;
  end loop;
  return found_type::regtype;
end
$$;

-- A column, or a place inside a JSON column: {"column": c, "path": [["->", "a"], ["->>", 0]]}.
create or replace function supabase_pool.field_sql(field jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  sql text := format('t.%I', field ->> 'column');
  hop jsonb;
begin
  if jsonb_array_length(field -> 'path') > 0 then
    if supabase_pool.type_of(relation, field ->> 'column', path) not in ('pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype) then
      sql := format('pg_catalog.to_jsonb(%s)', sql);
    end if;
    for hop in select * from jsonb_array_elements(field -> 'path') loop
      sql := sql
        || case hop ->> 0 when '->>' then ' operator(pg_catalog.->>) ' else ' operator(pg_catalog.->) ' end
        || case jsonb_typeof(hop -> 1) when 'number' then ((hop ->> 1)::integer)::text else format('%L', hop ->> 1) end;
    end loop;
  end if;
  return sql;
end
$$;

-- What a text search looks into: a vector as it is, anything else made into one.
create or replace function supabase_pool.searched_sql(node jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  field text := supabase_pool.field_sql(node, relation, path);
begin
  if coalesce(jsonb_array_length(node -> 'path'), 0) = 0
    and supabase_pool.type_of(relation, node ->> 'column', path) = 'pg_catalog.tsvector'::regtype then
    return field;
  end if;
  return format('pg_catalog.to_tsvector(%s%s)', case when node ? 'config' then format('%L::pg_catalog.regconfig, ', node ->> 'config') end, field);
end
$$;

create or replace function supabase_pool.list_sql(vals jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select string_agg(format('%L', supabase_pool.value_of(v, kept)), ', ') from jsonb_array_elements(vals) as v);
end
$$;

create or replace function supabase_pool.condition_sql(node jsonb, kept jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  op constant text := node ->> 'op';
  val constant text := supabase_pool.value_of(node -> 'value', kept);
  field text;
  operator text;
  query text;
begin
  query := case op
    when 'fts' then 'to_tsquery' when 'plfts' then 'plainto_tsquery' when 'phfts' then 'phraseto_tsquery'
    when 'wfts' then 'websearch_to_tsquery'
  end;
  if query is not null then
    return format('%s operator(pg_catalog.@@) pg_catalog.%s(%s%L)', supabase_pool.searched_sql(node, relation, path), query,
      case when node ? 'config' then format('%L::pg_catalog.regconfig, ', node ->> 'config') end, val);
  end if;
  field := supabase_pool.field_sql(node, relation, path);
  -- Only what stands in this list becomes an operator.
  operator := case op
    when 'eq' then '=' when 'neq' then '<>' when 'gt' then '>' when 'gte' then '>=' when 'lt' then '<' when 'lte' then '<='
    when 'like' then 'like' when 'ilike' then 'ilike' when 'match' then '~' when 'imatch' then '~*'
    when 'cs' then '@>' when 'cd' then '<@' when 'ov' then '&&' when 'sl' then '<<' when 'sr' then '>>'
    when 'nxr' then '&<' when 'nxl' then '&>' when 'adj' then '-|-' when 'isdistinct' then 'is distinct from'
  end;
  if operator is not null and node ->> 'quantifier' in ('any', 'all') then
    return format('%s %s %s (%L)', field, operator, node ->> 'quantifier', val);
  elsif operator is not null then
    return format('%s %s %L', field, operator, val);
  elsif op = 'in' then
    return case when jsonb_array_length(node -> 'values') = 0 then 'false'
      else format('%s in (%s)', field, supabase_pool.list_sql(node -> 'values', kept)) end;
  elsif op = 'is' and val in ('null', 'not_null', 'true', 'false', 'unknown') then
    return format('%s is %s', field, replace(val, '_', ' '));
  end if;
  raise exception 'unknown operator %', coalesce(op || case op when 'is' then '.' || val else '' end, 'null') using errcode = '22023';
end
$$;

create or replace function supabase_pool.filter_sql(node jsonb, kept jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  connective constant text := case when node ? 'or' then 'or' when node ? 'and' then 'and' end;
  parts text[] := array[]::text[];
  part jsonb;
begin
  if node ? 'not' then
    return format('not (%s)', supabase_pool.filter_sql(node -> 'not', kept, relation, path));
  end if;
  if connective is null then
    return supabase_pool.condition_sql(node, kept, relation, path);
  end if;
  for part in select * from jsonb_array_elements(node -> connective) loop
    parts := array_append(parts, format('(%s)', supabase_pool.filter_sql(part, kept, relation, path)));
  end loop;
  return case when cardinality(parts) > 0 then array_to_string(parts, format(' %s ', connective)) else 'true' end;
end
$$;

-- ' where …', or nothing: an update without a condition stays one, for extensions that forbid it.
create or replace function supabase_pool.where_sql(filter jsonb, kept jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if filter is null or jsonb_array_length(filter -> 'and') = 0 then
    return '';
  end if;
  return ' where ' || supabase_pool.filter_sql(filter, kept, relation, path);
end
$$;

create or replace function supabase_pool.names_sql(names jsonb, prefix text default '')
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select string_agg(prefix || format('%I', name), ', ') from jsonb_array_elements_text(names) as name);
end
$$;

-- '::type'. The type is looked up, and its name comes from the catalogue: one of
-- PostgreSQL's own, or of the schema that is named with it.
create or replace function supabase_pool.cast_sql(type_name text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_type text;
begin
  select format('::%I.%I', n.nspname, y.typname) into found_type
  from pg_catalog.pg_type y
  join pg_catalog.pg_namespace n on n.oid = y.typnamespace
  where y.oid = to_regtype(type_name) and type_name !~ '[(]';
  if not found then
    raise exception 'type % does not exist', quote_ident(type_name) using errcode = '42704',
      hint = 'A cast names a type of PostgreSQL''s, without a length, or one with its schema.';
  end if;
  return found_type;
end
$$;

-- An object of columns: [[name, column], …], or [name, column, type] for one that is cast. By way of a row:
-- jsonb_build_object takes no more than 50.
create or replace function supabase_pool.object_sql(columns jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_array_length(columns) = 0 then
    return '''{}''::pg_catalog.jsonb';
  end if;
  return format('(select pg_catalog.to_jsonb(o.*) from (select %s) as o)', (
    select string_agg(
      format('t.%I%s as %I', item ->> 1, case when item ->> 2 is not null then supabase_pool.cast_sql(item ->> 2) end, item ->> 0), ', '
    )
    from jsonb_array_elements(columns) as item
  ));
end
$$;

-- What a step gives back: "*" or a list as above, with the columns that later steps refer to beside it. The whole
-- row is t.*, since t alone is a column where the table has one of that name.
create or replace function supabase_pool.output_sql(columns jsonb, keep jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return format(
    '%s as visible, %s as kept',
    case
      when columns = '"*"' then 'pg_catalog.to_jsonb(t.*)'
      when jsonb_typeof(columns) = 'array' then supabase_pool.object_sql(columns)
      else 'null::pg_catalog.jsonb'
    end,
    case
      when keep is null then 'null::pg_catalog.jsonb'
      else supabase_pool.object_sql((select jsonb_agg(jsonb_build_array(name, name)) from jsonb_array_elements_text(keep) as name))
    end
  );
end
$$;

create or replace function supabase_pool.order_sql(terms jsonb, relation oid, path text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if terms is null then
    return '';
  end if;
  return coalesce((
    select ' order by ' || string_agg(
      supabase_pool.field_sql(term, relation, path)
        || case when (term ->> 'descending')::boolean then ' desc' else ' asc' end
        || case term ->> 'nulls' when 'first' then ' nulls first' when 'last' then ' nulls last' else '' end,
      ', ' order by position
    )
    from jsonb_array_elements(terms) with ordinality as listed(term, position)
  ), '');
end
$$;

-- The columns of the primary key, as a JSON array: what an upsert without onConflict compares.
create or replace function supabase_pool.primary_key(relation regclass)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_agg(a.attname order by array_position(c.conkey, a.attnum))
    from pg_catalog.pg_constraint c
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
    where c.conrelid = relation and c.contype = 'p'
  );
end
$$;

create or replace function supabase_pool.conflict_sql(step jsonb, relation text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  target jsonb;
  action text;
begin
  target := coalesce(step -> 'onConflict', supabase_pool.primary_key(relation::regclass));
  if target is null then
    raise exception 'upsert into % needs onConflict: it has no primary key', relation using errcode = '42P10';
  end if;
  if (step ->> 'ignoreDuplicates')::boolean or jsonb_array_length(step -> 'columns') = 0 then
    action := 'nothing';
  else
    select 'update set ' || string_agg(format('%1$I = excluded.%1$I', name), ', ') into action
    from jsonb_array_elements_text(step -> 'columns') as name;
  end if;
  return format(' on conflict (%s) do %s', supabase_pool.names_sql(target), action);
end
$$;


-- The default of a column as PostgreSQL would take it; its text comes from the catalogue.
create or replace function supabase_pool.default_sql(relation regclass, col text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(
      case
        when a.attidentity <> '' then format('pg_catalog.nextval(%L)', pg_get_serial_sequence(relation::text, col))
        else pg_get_expr(d.adbin, d.adrelid)
      end,
      'null'
    )
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = relation and a.attname = col
  );
end
$$;

-- The columns of a step with their types, for jsonb_to_record; the types by their whole names, since format_type leaves
-- pg_catalog out, and takes "character" for one letter.
create or replace function supabase_pool.typed_sql(relation regclass, columns jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  col text;
  typed text;
  parts text := '';
begin
  for at_column in 0 .. jsonb_array_length(columns) - 1 loop
    col := columns ->> at_column;
    select format('%I %I.%I', a.attname, n.nspname, y.typname) into typed
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type y on y.oid = a.atttypid
    join pg_catalog.pg_namespace n on n.oid = y.typnamespace
    where a.attrelid = relation and a.attname = col::name and a.attname::text = col and a.attnum > 0 and not a.attisdropped;
    if not found then
      raise exception 'column % of relation % does not exist', quote_ident(col), relation using errcode = '42703';
    end if;
    parts := parts || case at_column when 0 then '' else ', ' end || typed;
  end loop;
  return parts;
end
$$;

-- The values of a row in which what is missing is the column's default.
create or replace function supabase_pool.row_sql(step jsonb, relation text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select string_agg(
      format(
        'case when p.given operator(pg_catalog.?) %1$L then r.%1$I else %2$s end', col, supabase_pool.default_sql(relation::regclass, col)
      ),
      ', ' order by position
    )
    from jsonb_array_elements_text(step -> 'columns') with ordinality as listed(col, position)
  );
end
$$;

-- A statement of insert or upsert; its rows are the parameter $1.
create or replace function supabase_pool.insert_sql(step jsonb, relation text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  columns constant jsonb := step -> 'columns';
  sql text;
begin
  if jsonb_array_length(columns) = 0 then
    sql := format('insert into %s as t select from pg_catalog.jsonb_array_elements($1)', relation);
  elsif step ->> 'missing' = 'default' then
    sql := format(
      'insert into %s as t (%s) select %s from pg_catalog.jsonb_array_elements($1) as p(given), '
        || 'lateral pg_catalog.jsonb_to_record(p.given) as r(%s)',
      relation, supabase_pool.names_sql(columns), supabase_pool.row_sql(step, relation),
      supabase_pool.typed_sql(relation::regclass, columns)
    );
  else
    sql := format(
      'insert into %s as t (%s) select r.* from pg_catalog.jsonb_to_recordset($1) as r(%s)',
      relation, supabase_pool.names_sql(columns), supabase_pool.typed_sql(relation::regclass, columns)
    );
  end if;
  if step ->> 'op' = 'upsert' then
    sql := sql || supabase_pool.conflict_sql(step, relation);
  end if;
  return sql;
end
$$;

-- A change that counts from what the column has.
create or replace function supabase_pool.change_sql(col text, how text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  case how
    when 'add' then
      return format('%1$I = t.%1$I operator(pg_catalog.+) r.%1$I', col);
    when 'subtract' then
      return format('%1$I = t.%1$I operator(pg_catalog.-) r.%1$I', col);
    else
      raise exception 'unknown change %', coalesce(quote_literal(how), 'null') using errcode = '22023';
  end case;
end
$$;

-- A statement of update; the changes are the only row of the parameter $1, and "by" has those that count from what the
-- column has: {"stock": "subtract"}.
create or replace function supabase_pool.update_sql(step jsonb, relation text, condition text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return format(
    'update %s as t set %s from pg_catalog.jsonb_to_record($1 operator(pg_catalog.->) 0) as r(%s)%s',
    relation,
    (
      select string_agg(
        case when step -> 'by' ? name then supabase_pool.change_sql(name, step -> 'by' ->> name) else format('%1$I = r.%1$I', name) end, ', '
      )
      from jsonb_array_elements_text(step -> 'columns') as name
    ),
    supabase_pool.typed_sql(relation::regclass, step -> 'columns'),
    condition
  );
end
$$;

-- The names of what a function takes; those of what it gives stand among them in the catalogue.
create or replace function supabase_pool.inputs(p pg_catalog.pg_proc)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(coalesce(name, '') order by position), '{}')
    from unnest(p.proargnames, p.proargmodes) with ordinality as listed(name, mode, position)
    where coalesce(mode, 'i') in ('i', 'b', 'v')
  );
end
$$;

-- The one function that takes these arguments by name: all that is given has a name there, and all that has no default
-- is given.
create or replace function supabase_pool.chosen_function(step jsonb, args jsonb)
returns oid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  given text[] := array(select jsonb_object_keys(args));
  candidates oid[];
begin
  select coalesce(array_agg(p.oid), '{}') into candidates
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  cross join lateral (select supabase_pool.inputs(p) as names) as input
  where n.nspname = step ->> 'schema' and p.proname = step ->> 'function' and p.prokind = 'f'
    and p.prorettype <> 'pg_catalog.trigger'::regtype
    and cardinality(input.names) = p.pronargs
    and given <@ input.names
    and input.names[1:p.pronargs - p.pronargdefaults] <@ given;
  if cardinality(candidates) <> 1 then
    raise exception '% function %.% takes these arguments: %',
      case cardinality(candidates) when 0 then 'no' else 'more than one' end,
      step ->> 'schema', step ->> 'function', coalesce(nullif(array_to_string(given, ', '), ''), 'none')
      using errcode = case cardinality(candidates) when 0 then '42883' else '42725' end;
  end if;
  return candidates[1];
end
$$;

-- The call of a function by the names of its arguments, each as its declared type; they are the only row of the
-- parameter $1. A function with OUT arguments or of a composite type gives rows, any other a value.
create or replace function supabase_pool.call_sql(step jsonb, args jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  p pg_catalog.pg_proc;
  declared text;
  passed text;
  call text;
  has_columns boolean;
begin
  select f.* into p from pg_catalog.pg_proc f where f.oid = supabase_pool.chosen_function(step, args);
  select
    string_agg(format('%I %I.%I', name, n.nspname, y.typname), ', ' order by position),
    string_agg(format('%s%2$I := args.%2$I', case when p.provariadic <> 0 and position = p.pronargs then 'variadic ' end, name), ', ' order by position)
  into declared, passed
  from unnest(supabase_pool.inputs(p)) with ordinality as listed(name, position)
  join pg_catalog.pg_type y on y.oid = p.proargtypes[position - 1]
  join pg_catalog.pg_namespace n on n.oid = y.typnamespace
  where args ? name;
  call := format('%I.%I(%s)', step ->> 'schema', step ->> 'function', passed);
  has_columns := coalesce(p.proargmodes && '{o,b,t}', false)
    or exists (select from pg_catalog.pg_type y where y.oid = p.prorettype and y.typtype = 'c');
  return format(
    'select %s as visible, null::pg_catalog.jsonb as kept from %s%s%s',
    case
      when p.prorettype = 'pg_catalog.void'::regtype then 'null::pg_catalog.jsonb'
      when has_columns then 'pg_catalog.to_jsonb(t.*)'
      else 'pg_catalog.to_jsonb(t.given)'
    end,
    case when declared is null then '' else format('pg_catalog.jsonb_to_record($1 operator(pg_catalog.->) 0) as args(%s), lateral ', declared) end,
    case when has_columns then format('(select * from %s) as t', call) else format('%s as t(given)', call) end,
    coalesce(' limit ' || (supabase_pool.max_rows()::bigint + 1), '')
  );
end
$$;

-- ---------------------------------------------------------------------------------------------------- columns

-- The names that a filter has of columns.
create or replace function supabase_pool.filter_columns(node jsonb)
returns setof text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  part jsonb;
begin
  if node ? 'not' then
    return query select supabase_pool.filter_columns(node -> 'not');
  elsif node ? 'or' or node ? 'and' then
    for part in select * from jsonb_array_elements(coalesce(node -> 'or', node -> 'and')) loop
      return query select supabase_pool.filter_columns(part);
    end loop;
  else
    return next node ->> 'column';
  end if;
end
$$;

-- PostgREST's computed column: a function that takes a row of the relation and gives one value. All that could be meant
-- have to be such, since PostgreSQL chooses.
create or replace function supabase_pool.is_computed(relation oid, col text, path text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(bool_and(p.prokind = 'f' and not p.proretset), false)
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_class c on c.reltype = p.proargtypes[0]
    where c.oid = relation and p.proname::text = col and p.pronargs >= 1 and p.pronargs - p.pronargdefaults <= 1
      and n.nspname = any (supabase_pool.schemas_of(path))
  );
end
$$;

-- t.name is the function name(t) where t has no such column, and every aggregate can be called so: one row with all rows
-- in it, past the limit of rows. So what a step names is a column, or it is refused.
create or replace function supabase_pool.check_columns(step jsonb, relation oid, path text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  col text;
begin
  for col in
    select item ->> 1 from jsonb_array_elements(case when jsonb_typeof(step -> 'returning') = 'array' then step -> 'returning' end) as item
    union select name from jsonb_array_elements_text(step -> 'keep') as name
    union select term ->> 'column' from jsonb_array_elements(step -> 'order') as term
    union select supabase_pool.filter_columns(case when step ? 'expect' then supabase_pool.wanted(step) else step -> 'filter' end)
      where step ? 'filter' or step ? 'expect'
  loop
    if not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = relation and a.attname::text = col and a.attnum > 0 and not a.attisdropped
    ) and not supabase_pool.is_computed(relation, col, path) then
      raise exception 'column %.%.% does not exist', quote_ident(step ->> 'schema'), quote_ident(step ->> 'table'),
        coalesce(quote_ident(col), 'null') using errcode = '42703',
        hint = 'A computed column is a function of the table''s row, and gives one value. Aggregates and other functions are called in a function of your own.';
    end if;
  end loop;
end
$$;

-- ---------------------------------------------------------------------------------------------------- steps

-- What a version before the first that understands it would not refuse, a step says in its operation: "update@3". An earlier
-- one knows no such operation, and executes nothing.
create or replace function supabase_pool.understood(step jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  needed text := substring(step ->> 'op' from '@(.*)$');
begin
  if needed is distinct from '3' then
    raise exception 'the step needs version % of the transaction function, and this is version 4', needed using errcode = '0A000',
      hint = 'Apply the migration of the newer package.';
  end if;
  return jsonb_set(step, '{op}', to_jsonb(split_part(step ->> 'op', '@', 1)));
end
$$;

-- Rows stay as they are read until the transaction ends: locked as an update of them would, or against changes alone.
create or replace function supabase_pool.lock_sql(lock text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  case lock
    when 'update' then
      return ' for no key update of t';
    when 'share' then
      return ' for share of t';
    else
      raise exception 'unknown lock %', quote_literal(lock) using errcode = '22023';
  end case;
end
$$;

-- A filter: the rows of a step that are as it expects.
create or replace function supabase_pool.wanted(step jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object('and', coalesce(step -> 'filter' -> 'and', '[]') || (step -> 'expect'));
end
$$;

-- The statement of a step: rows of (visible, kept), or nothing where nothing is asked for. payload, its parameter $1, has
-- the rows with all references replaced.
create or replace function supabase_pool.step_sql(step jsonb, payload jsonb, kept jsonb, path text default '')
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  op constant text := step ->> 'op';
  -- A call has no table.
  relation constant text := format('%I.%I', step ->> 'schema', coalesce(step ->> 'table', ''));
  id oid;
  gives constant boolean := step ? 'returning' or step ? 'keep';
  output text;
  given_back text := '';
  condition text;
begin
  if op = 'rpc' then
    return supabase_pool.call_sql(step, payload -> 0);
  end if;
  if gives or op in ('select', 'update') then
    output := supabase_pool.output_sql(step -> 'returning', step -> 'keep');
  end if;
  if gives then
    given_back := ' returning ' || output;
  end if;
  if op in ('insert', 'upsert') then
    return supabase_pool.insert_sql(step, relation) || given_back;
  end if;
  id := to_regclass(relation);
  condition := supabase_pool.where_sql(
    case when step ? 'expect' then supabase_pool.wanted(step) else step -> 'filter' end, kept, id, path
  );
  case op
    when 'select' then
      return format('select %s from %s as t%s%s', output, relation, condition, supabase_pool.order_sql(step -> 'order', id, path))
        || coalesce(' limit ' || least((step ->> 'limit')::bigint, supabase_pool.max_rows()::bigint + 1), '')
        || coalesce(' offset ' || (step ->> 'offset')::bigint, '')
        || case when step ? 'lock' then supabase_pool.lock_sql(step ->> 'lock') else '' end;
    when 'update' then
      -- Nothing to change: no row is.
      if jsonb_array_length(step -> 'columns') = 0 then
        return format('select %s from %s as t where false', output, relation);
      end if;
      return supabase_pool.update_sql(step, relation, condition) || given_back;
    when 'delete' then
      return format('delete from %s as t%s%s', relation, condition, given_back);
    else
      raise exception 'unknown operation %', coalesce(quote_literal(op), 'null') using errcode = '22023';
  end case;
end
$$;

-- What PostgREST's schema cache has, and nothing else (its query for tables in src/library/PostgREST/SchemaCache.hs, version
-- 17): ordinary and partitioned tables, views, materialised views and foreign tables in an exposed schema that is not
-- PostgreSQL's. Not partitions: the row level security of the table that they are a part of does not hold in them. A name
-- is compared as a text too, since one that is too long would be cut.
create or replace function supabase_pool.is_shown(schema_name text, relation_name text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if schema_name in ('information_schema', 'supabase_pool') or schema_name ~ '^pg_' then
    return false;
  end if;
  if relation_name is null or schema_name = any (supabase_pool.exposed_schemas()) is not true then
    return schema_name = any (supabase_pool.exposed_schemas());
  end if;
  return exists (
    select from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = schema_name::name and n.nspname::text = schema_name
      and c.relname = relation_name::name and c.relname::text = relation_name
      and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  );
end
$$;

-- A transaction is no step: within another one its bounds would not hold, nor would what settle says be final.
create or replace function supabase_pool.check_exposed(step jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  op text := coalesce(step ->> 'op', '');
begin
  if op = 'rpc' and step ->> 'schema' = 'public'
    and step ->> 'function' in ('supabase_pool_transaction', 'supabase_pool_transaction_settle') then
    raise exception 'a transaction is no step of another' using errcode = '42501';
  end if;
  if supabase_pool.is_shown(step ->> 'schema', case when op <> 'rpc' then coalesce(step ->> 'table', '') end) then
    return;
  end if;
  if supabase_pool.is_shown(step ->> 'schema', null) is not true then
    raise exception 'schema % is not open to transactions', coalesce(quote_ident(step ->> 'schema'), 'null')
      using errcode = '42501', hint = 'Where the API exposes it, add it to supabase_pool.exposed_schemas().';
  end if;
  raise exception 'relation % does not exist', coalesce(quote_ident(step ->> 'schema') || '.' || quote_ident(step ->> 'table'), 'null')
    using errcode = '42P01', hint = 'A partition is reached by the table that it is a part of.';
end
$$;

-- Whether the API would run it in a read-only transaction: what is selected, and a function that is not volatile. Of a
-- name that several functions have, all of them.
create or replace function supabase_pool.only_reads(step jsonb)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case split_part(step ->> 'op', '@', 1)
    when 'select' then not step ? 'lock'
    -- It changes nothing, and asks for no more than the right to read.
    when 'update' then jsonb_array_length(step -> 'columns') = 0
    when 'rpc' then coalesce((
      select bool_and(p.provolatile <> 'v')
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname = (step ->> 'schema')::name and p.proname = (step ->> 'function')::name
    ), false)
    else false
  end;
end
$$;

-- What a request sets and a function of a step could change: the next step has to find it as a request of its own would.
-- Those of old, which Supabase's auth.uid(), auth.role() and auth.email() look at first, are among them.
create or replace function supabase_pool.request_settings()
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array[
    coalesce(current_setting('role', true), ''),
    coalesce(current_setting('request.jwt.claims', true), ''),
    coalesce(current_setting('request.headers', true), ''),
    coalesce(current_setting('request.cookies', true), ''),
    coalesce(current_setting('request.method', true), ''),
    coalesce(current_setting('request.path', true), ''),
    coalesce(current_setting('row_security', true), ''),
    coalesce(current_setting('TimeZone', true), ''),
    coalesce(current_setting('request.jwt.claim.sub', true), ''),
    coalesce(current_setting('request.jwt.claim.iss', true), ''),
    coalesce(current_setting('request.jwt.claim.role', true), ''),
    coalesce(current_setting('request.jwt.claim.email', true), ''),
    coalesce(current_setting('request.jwt.claim', true), '')
  ];
end
$$;

create or replace function supabase_pool.put_back(before text[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  names constant text[] := array[
    'role', 'request.jwt.claims', 'request.headers', 'request.cookies', 'request.method', 'request.path', 'row_security',
    'TimeZone', 'request.jwt.claim.sub', 'request.jwt.claim.iss', 'request.jwt.claim.role', 'request.jwt.claim.email',
    'request.jwt.claim'
  ];
begin
  if supabase_pool.request_settings() = before then
    return;
  end if;
  for n in 1 .. cardinality(names) loop
    if coalesce(current_setting(names[n], true), '') <> before[n] then
      perform set_config(names[n], before[n], true);
    end if;
  end loop;
end
$$;

-- The search path that PostgREST would set for a request of that schema: it, then the extra ones.
create or replace function supabase_pool.path_of(schema_name text, path text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if starts_with(path || ',', quote_ident(schema_name) || ',') or starts_with(path || ',', format('"%s",', schema_name)) then
    return path;
  end if;
  return concat_ws(', ', quote_ident(schema_name), nullif(path, ''));
end
$$;

-- Runs the statement of a step, the only SQL here that is not executed with a path of our own: the caller's triggers,
-- operators and types are found where they are without a transaction.
create or replace function supabase_pool.executed(
  sql text, payload jsonb, path text, gives boolean, most bigint,
  out affected bigint, out visible jsonb, out first jsonb
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if gives then
    sql := format(
      'with w as materialized (%s) select (select pg_catalog.count(*) from w), '
        || '(select coalesce(pg_catalog.jsonb_agg(l.visible), ''[]'') from (select w.visible from w%s) as l), '
        || '(select w.kept from w limit 1)',
      sql, ' limit ' || most
    );
  end if;
  perform set_config('search_path', path, true);
  if gives then
    execute sql into affected, visible, first using payload;
  else
    execute sql using payload;
    get diagnostics affected = row_count;
    visible := '[]';
  end if;
end
$$;

-- The same for what only reads: it is read-only, as a request is. The handler, which catches nothing, makes the
-- subtransaction with which that ends.
create or replace function supabase_pool.executed_reading(
  sql text, payload jsonb, path text, most bigint, out affected bigint, out visible jsonb, out first jsonb
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_catalog.set_config('transaction_read_only', 'on', true);
  select e.affected, e.visible, e.first into affected, visible, first from supabase_pool.executed(sql, payload, path, true, most) e;
exception when sqlstate 'SP000' then
  raise;
end
$$;

-- Why a step with guards met no row: none is there, or the guard that does not hold, by its number from 0. Returns where all
-- hold by now.
create or replace function supabase_pool.check_expected(step jsonb, kept jsonb, path text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant text := format('%I.%I', step ->> 'schema', step ->> 'table');
  id constant oid := to_regclass(relation);
  ran record;
  failed bigint;
begin
  select * into ran from supabase_pool.executed_reading(
    format(
      'select pg_catalog.jsonb_build_array(%s) as visible, null::pg_catalog.jsonb as kept from %s as t%s',
      (
        select string_agg(format('(%s) is true', supabase_pool.filter_sql(guard, kept, id, path)), ', ' order by position)
        from jsonb_array_elements(step -> 'expect') with ordinality as listed(guard, position)
      ),
      relation,
      supabase_pool.where_sql(step -> 'filter', kept, id, path)
    ),
    null, path, 1
  );
  if ran.affected = 0 then
    raise exception 'one row was asked for and there are 0' using errcode = 'P0002';
  end if;
  select position - 1 into failed
  from jsonb_array_elements(ran.visible -> 0) with ordinality as listed(holds, position)
  where holds = 'false' order by position limit 1;
  if found then
    raise exception 'the row is not as expected' using errcode = 'SP001', detail = failed::text;
  end if;
end
$$;

-- Runs one step and gives {"visible": rows, or one, "kept": the first row's columns that later steps refer to, "counted":
-- rows given back that count for all steps together}.
create or replace function supabase_pool.run_step(step jsonb, kept jsonb, path text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  op constant text := step ->> 'op';
  path_here constant text := supabase_pool.path_of(step ->> 'schema', path);
  adds constant boolean := op in ('insert', 'upsert');
  payload jsonb := step -> 'rows';
  most bigint;
  sql text;
  called pg_catalog.pg_proc;
  ran record;
begin
  if step ? 'refs' then
    payload := supabase_pool.rows_of(step, kept);
  end if;
  perform supabase_pool.check_exposed(step);
  -- Those that add rows give back what they were given.
  if adds is not true then
    most := supabase_pool.max_rows();
  end if;
  if op <> 'rpc' and (step ? 'filter' or step ? 'keep' or step ? 'expect' or step ? 'order' or step -> 'returning' <> '"*"') then
    perform supabase_pool.check_columns(step, to_regclass(format('%I.%I', step ->> 'schema', step ->> 'table')), path_here);
  end if;
  sql := supabase_pool.step_sql(step, payload, kept, path_here);
  if op = 'rpc' then
    select p.* into called from pg_catalog.pg_proc p where p.oid = supabase_pool.chosen_function(step, payload -> 0);
  end if;
  -- Guards may hold again by the time that somebody looks which did not: so it is tried again. A row that is seen and may
  -- not be written is none, as without guards.
  for attempt in 1 .. 3 loop
    if (op = 'select' and not step ? 'lock') or coalesce(called.provolatile <> 'v', false) then
      ran := supabase_pool.executed_reading(sql, payload, path_here, most);
    else
      ran := supabase_pool.executed(
        sql, payload, path_here, op in ('select', 'rpc') or step ? 'returning' or step ? 'keep', most
      );
    end if;
    exit when ran.affected > 0 or not step ? 'expect';
    perform supabase_pool.check_expected(step, kept, path_here);
  end loop;
  if op = 'rpc' and not called.proretset then
    return jsonb_build_object('visible', ran.visible -> 0, 'counted', 1);
  end if;
  if ran.affected > (step ->> 'maxAffected')::bigint then
    raise exception '% rows would be affected, more than %', ran.affected, step ->> 'maxAffected' using errcode = '21000';
  end if;
  if (step ->> 'single' = 'one' and ran.affected <> 1) or (step ->> 'single' = 'maybe' and ran.affected > 1) then
    raise exception 'one row was asked for and there are %',
      case when ran.affected > most then 'more than ' || most else ran.affected::text end
      using errcode = case ran.affected when 0 then 'P0002' else 'P0003' end;
  end if;
  if ran.affected > most and (op in ('select', 'rpc') or step ? 'returning') then
    raise exception 'the step gives back more than % rows', most using errcode = '54000',
      hint = 'Narrow it, page with limit and offset, or select nothing of a write. supabase_pool.max_rows() has the limit: replace it to allow more.';
  end if;
  return jsonb_build_object(
    'visible', case when step ? 'single' then ran.visible -> 0 else ran.visible end,
    'kept', ran.first,
    'counted', case when adds then 0 else jsonb_array_length(ran.visible) end
  );
end
$$;

-- ---------------------------------------------------------------------------------------------------- steps that are alike

-- The number of the last of the inserts from that one on that differ in nothing but their rows.
create or replace function supabase_pool.last_alike(steps jsonb, first_step integer)
returns integer
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Rows with references depend on what the steps before give, and each step keeps a row of its own.
  shape constant jsonb := (steps -> first_step) - 'rows';
  at_step integer := first_step;
begin
  if shape ->> 'op' <> 'insert' or shape ?| array['refs', 'keep', 'maxAffected'] then
    return first_step;
  end if;
  while (steps -> (at_step + 1)) - 'rows' = shape loop
    at_step := at_step + 1;
  end loop;
  return at_step;
end
$$;

-- Whether nothing in the database could tell several inserts of one row from one of several rows: an ordinary table
-- without triggers and rules of its own, without a foreign key to itself, and without a policy for the caller that reads a table.
create or replace function supabase_pool.takes_many(relation oid)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from pg_catalog.pg_class c where c.oid = relation and c.relkind = 'r' and not c.relhasrules
  ) and not exists (
    select from pg_catalog.pg_trigger g where g.tgrelid = relation and not g.tgisinternal
  ) and not exists (
    select from pg_catalog.pg_constraint f where f.conrelid = relation and f.confrelid = relation
  ) and not (row_security_active(relation) and exists (
    select from pg_catalog.pg_policy p
    where p.polrelid = relation and concat(p.polqual::text, p.polwithcheck::text) ~ ':rtekind 0'
  ));
end
$$;

-- Runs inserts that are alike as one statement, and gives what each would have given, as a list; null where they have to
-- be run one by one, of which nothing is kept: so the one that is refused is found, too.
create or replace function supabase_pool.run_alike(steps jsonb, first_step integer, last_step integer, path text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  shape constant jsonb := (steps -> first_step) - 'rows' - 'single';
  wants_one constant boolean := steps -> first_step ? 'single';
  gives constant boolean := shape ? 'returning';
  how_many constant bigint := last_step - first_step + 1;
  given jsonb;
  each_one boolean;
  visible jsonb;
begin
  if not supabase_pool.takes_many(to_regclass(format('%I.%I', shape ->> 'schema', shape ->> 'table'))) then
    return null;
  end if;
  select jsonb_agg(listed.given order by step.n, listed.position), bool_and(jsonb_array_length(steps -> step.n -> 'rows') = 1)
  into given, each_one
  from generate_series(first_step, last_step) as step(n),
    lateral jsonb_array_elements(steps -> step.n -> 'rows') with ordinality as listed(given, position);
  if each_one is not true or jsonb_array_length(given) <> how_many then
    return null;
  end if;
  visible := supabase_pool.run_step(shape || jsonb_build_object('rows', given), '{}', path) -> 'visible';
  if gives and jsonb_array_length(visible) <> how_many then
    raise exception 'not as many rows as were given' using errcode = 'SP002';
  end if;
  return case
    when gives and wants_one then visible
    when gives then (select jsonb_agg(jsonb_build_array(row) order by position) from jsonb_array_elements(visible) with ordinality as l(row, position))
    else to_jsonb(array_fill(case when wants_one then 'null'::jsonb else '[]'::jsonb end, array[how_many::integer]))
  end;
exception when others then
  return null;
end
$$;

-- ---------------------------------------------------------------------------------------------------- the transaction

-- A key as versions before 4 recorded it: a long one as its digest.
create or replace function supabase_pool.stored_key(key text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case when octet_length(key) <= 64 then key else 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex') end;
end
$$;

-- The answer to a second arrival, by what is recorded of the first.
create or replace function supabase_pool.answer_again(settled boolean, same_steps boolean, result jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if settled then
    raise exception 'this transaction was settled as not executed' using errcode = '57014', hint = 'Use a new key.';
  end if;
  if same_steps is not true then
    raise exception 'this idempotency key was used for another transaction'
      using errcode = '22023', hint = 'Use a new key for new steps.';
  end if;
  if result is null then
    return jsonb_build_object('replayed', true, 'gone', true);
  end if;
  return jsonb_build_object('replayed', true, 'results', result);
end
$$;

-- The digest under which a transaction is recorded: of the caller and the key. Whoever is nobody in particular and sends the
-- same key may be somebody else: there the steps are a part of the key.
create or replace function supabase_pool.key_of(me text, whole_key text, steps jsonb)
returns uuid
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return supabase_pool.digest(
    replace(supabase_pool.digest(me)::text, '-', '') || supabase_pool.whole_key(me, whole_key, steps)
  );
end
$$;

create or replace function supabase_pool.whole_key(me text, key text, steps jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return key || case when supabase_pool.is_nobody(me) then ':' || encode(sha256(convert_to(steps::text, 'UTF8')), 'hex') else '' end;
end
$$;

-- Takes the key for these steps, and gives its digest; null where it is taken. It waits for who is just taking it. Without steps
-- the key is settled. Definer, since nobody writes the table but by these two functions, which write only what is the
-- caller's own: whoever calls is computed here. It is digest(caller()) and key_of() in few expressions: each one more
-- costs in every transaction.
create or replace function supabase_pool.recorded(idempotency_key text, steps jsonb, known jsonb)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  me constant text := case
    when nullif(current_setting('request.jwt.claim.sub', true), '') is null
      and nullif(current_setting('request.jwt.claim.iss', true), '') is null and claims ->> 'sub' <> ''
    then jsonb_build_array(
      'user', coalesce(nullif(current_setting('role'), 'none'), session_user), nullif(claims ->> 'iss', ''), claims ->> 'sub'
    )::text
    else supabase_pool.caller()
  end;
  caller_id constant text := encode(substr(sha256(convert_to(me, 'UTF8')), 1, 16), 'hex');
  taken uuid := encode(substr(sha256(convert_to(
    caller_id || case when starts_with(me, '["nobody"') then supabase_pool.whole_key(me, idempotency_key, steps) else idempotency_key end,
    'UTF8'
  )), 1, 16), 'hex')::uuid;
begin
  insert into supabase_pool.transactions (key, caller, fingerprint, result) values (
    taken, caller_id::uuid, encode(substr(sha256(convert_to(steps::text, 'UTF8')), 1, 16), 'hex')::uuid, known
  )
  on conflict do nothing;
  return case when found then taken end;
end
$$;

-- Keeps a result that is small enough with the caller's own record.
create or replace function supabase_pool.record_result(my_key uuid, result jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if supabase_pool.is_kept(result) then
    update supabase_pool.transactions t set result = record_result.result
    where t.key = my_key and t.caller = supabase_pool.digest(supabase_pool.caller());
  end if;
end
$$;

-- What is recorded under a key, as the answer to a second arrival; null where there is no record.
create or replace function supabase_pool.replayed(my_key text, steps jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_key constant uuid := supabase_pool.key_of(supabase_pool.caller(), my_key, steps);
  earlier supabase_pool.transactions;
begin
  select t.* into earlier from supabase_pool.transactions t where t.key = found_key;
  if not found then
    return null;
  end if;
  return supabase_pool.answer_again(
    earlier.fingerprint is null, earlier.fingerprint = supabase_pool.digest(steps::text), earlier.result
  );
end
$$;

-- The same for what earlier versions have recorded. A session remembers that there is nothing any more.
create or replace function supabase_pool.replayed_before_4(my_key text, steps jsonb)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  me constant text := supabase_pool.caller();
  whole_key constant text := supabase_pool.whole_key(me, my_key, steps);
  earlier supabase_pool.transactions_before_4;
begin
  if pg_relation_size('supabase_pool.transactions_before_4') = 0 then
    perform set_config('supabase_pool.earlier', 'none', false);
    return null;
  end if;
  select * into earlier from supabase_pool.transactions_before_4 t
  where (t.caller = supabase_pool.caller_of_version_1() and t.key = whole_key)
    or (t.caller = me and t.key = supabase_pool.stored_key(whole_key))
  limit 1;
  if not found then
    return null;
  end if;
  return supabase_pool.answer_again(
    earlier.fingerprint = 'settled',
    earlier.fingerprint = encode(sha256(convert_to(steps::text, 'UTF8')), 'hex'),
    earlier.result
  );
end
$$;

-- An error of a step, which says which one it was.
create or replace function supabase_pool.blame(at_step integer, state text, reason text, more text, advice text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Codes that an API answers with words of its own, and loses the step (what is missing; PGRST), and codes that tell a
  -- client that the end is unknown (08, 40003), which it is not when a step raises them.
  raise exception using
    errcode = case when state ~ '^(42P01|42703|42883|PGRST|08...|40003)$' then 'P0001' else state end,
    message = reason, hint = advice,
    detail = jsonb_build_object('supabase_pool_step', at_step, 'code', state, 'details', more)::text;
end
$$;

-- All steps in order, or an exception that says which failed. The results in order.
create or replace function supabase_pool.run_steps(steps jsonb, path text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  how_many constant integer := jsonb_array_length(steps);
  most_steps integer;
  most_rows bigint;
  request text[];
  step jsonb;
  at_step integer := 0;
  alike_to integer := -1;
  given bigint := 0;
  outcome jsonb;
  results jsonb[] := array[]::jsonb[];
  kept jsonb := jsonb_build_object();
  state text; reason text; more text; advice text;
begin
  if how_many > 1 then
    most_steps := supabase_pool.max_steps();
    if how_many > most_steps then
      at_step := most_steps;
      raise exception 'there are % steps, more than %', how_many, most_steps using errcode = '54000',
        hint = 'Give many rows to one step, or send several transactions. supabase_pool.max_steps() has the limit: replace it to allow more.';
    end if;
  end if;
  request := supabase_pool.request_settings();
  while at_step < how_many loop
    step := steps -> at_step;
    if strpos(step ->> 'op', '@') > 0 then
      step := supabase_pool.understood(step);
    end if;
    outcome := null;
    if at_step > alike_to and step ->> 'op' = 'insert' then
      alike_to := supabase_pool.last_alike(steps, at_step);
      if alike_to > at_step then
        outcome := supabase_pool.run_alike(steps, at_step, alike_to, path);
      end if;
    end if;
    if outcome is not null then
      results := array_cat(results, array(select jsonb_array_elements(outcome)));
      at_step := alike_to;
    else
      outcome := supabase_pool.run_step(step, kept, path);
      given := given + (outcome ->> 'counted')::bigint;
      if given > 0 then
        most_rows := coalesce(most_rows, supabase_pool.max_total_rows());
        if given > most_rows then
          raise exception 'the steps up to this one give back % rows, more than %', given, most_rows using errcode = '54000',
            hint = 'Narrow them, send several transactions, or select nothing of a write. supabase_pool.max_total_rows() has the limit: replace it to allow more.';
        end if;
      end if;
      results := array_append(results, outcome -> 'visible');
      if step ? 'keep' then
        kept := kept || jsonb_build_object(at_step::text, outcome -> 'kept');
      end if;
    end if;
    perform supabase_pool.put_back(request);
    at_step := at_step + 1;
  end loop;
  return to_jsonb(results);
-- A statement timeout is not among others.
exception when query_canceled or others then
  get stacked diagnostics
    state = returned_sqlstate, reason = message_text, more = pg_exception_detail, advice = pg_exception_hint;
  perform supabase_pool.blame(at_step, state, reason, more, advice);
  return null;
end
$$;

-- What all steps together give where none gives anything back: it is known before they are executed. Null otherwise.
create or replace function supabase_pool.known_results(steps jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  how_many constant integer := jsonb_array_length(steps);
  step jsonb;
begin
  for at_step in 0 .. how_many - 1 loop
    step := steps -> at_step;
    if step ?| array['returning', 'single'] or step ->> 'op' not in ('insert', 'upsert', 'update', 'delete')
      or supabase_pool.only_reads(step) then
      return null;
    end if;
  end loop;
  return case when how_many > 0 then to_jsonb(array_fill('[]'::jsonb, array[how_many])) end;
end
$$;

-- ---------------------------------------------------------------------------------------------------- one insert

-- Makes ready what one insert needs in this session, and says whether it is: the table is one that is shown, its statement is
-- prepared, and the search path is known. It holds for the second in which it is asked: then the setting
-- "supabase_pool.ready" has the name with it, and the next insert of the kind need not ask. Of statements a session has 64
-- at most, and one that is there under the name, and was not made here, is not believed.
create or replace function supabase_pool.made_ready(name text, step jsonb, this_second text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  relation constant text := format('%I.%I', step ->> 'schema', step ->> 'table');
  names constant text := supabase_pool.names_sql(step -> 'columns');
  ready constant text := coalesce(current_setting('supabase_pool.ready', true), '');
  made constant text := coalesce(current_setting('supabase_pool.prepared', true), '');
begin
  if names is null or supabase_pool.is_shown(step ->> 'schema', coalesce(step ->> 'table', '')) is not true then
    return false;
  end if;
  perform set_config('supabase_pool.path', supabase_pool.extra_search_path(), false);
  if strpos(made, name) = 0 then
    if length(made) > 64 * 46 then
      return false;
    end if;
    if exists (select from pg_catalog.pg_prepared_statements p where p.name = made_ready.name) then
      execute format('deallocate %I', name);
    end if;
    perform set_config('search_path', supabase_pool.path_of(step ->> 'schema', supabase_pool.extra_search_path()), true);
    execute pg_catalog.format(
      'prepare %1$I (pg_catalog.jsonb) as insert into %2$s as t (%3$s) select %3$s from pg_catalog.jsonb_populate_recordset(null::%2$s, $1) as r',
      name, relation, names
    );
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform set_config('supabase_pool.prepared', made || name, false);
  end if;
  perform set_config(
    'supabase_pool.ready', case when starts_with(ready, this_second) then ready else this_second end || name, false
  );
  return true;
end
$$;

-- ---------------------------------------------------------------------------------------------------- what is called

-- Supabase's default privileges give anon what is made anew in public. So what is not there is made here first, to be
-- replaced below, and anon loses it at once; what is there keeps what a project has granted.
do $do$
begin
  if pg_catalog.to_regprocedure('public.supabase_pool_transaction(text, jsonb)') is null then
    create function public.supabase_pool_transaction(idempotency_key text, steps jsonb)
    returns jsonb
    language plpgsql
    set search_path = pg_catalog, pg_temp
    as $$begin raise exception 'the migration of effect-supabase-pool was interrupted: apply it again'; end$$;
    revoke all on function public.supabase_pool_transaction(text, jsonb) from public, anon;
  end if;
  if pg_catalog.to_regprocedure('public.supabase_pool_transaction_settle(text)') is null then
    create function public.supabase_pool_transaction_settle(idempotency_key text)
    returns jsonb
    language plpgsql
    set search_path = pg_catalog, pg_temp
    as $$begin raise exception 'the migration of effect-supabase-pool was interrupted: apply it again'; end$$;
    revoke all on function public.supabase_pool_transaction_settle(text) from public, anon;
  end if;
end
$do$;

-- Executes the steps in order, all or none, and once for each key of a caller: a second arrival, also one at the same
-- time, gets the first one's result. Records are kept for a day. A key takes part where something may be written: what
-- only reads can be read again, and leaves no record.
create or replace function public.supabase_pool_transaction(idempotency_key text, steps jsonb)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- One that adds rows and gives nothing back, which is sent most: its result is known before, and it is run in as few
  -- statements as there can be, each with a plan that the session keeps.
  is_insert boolean := jsonb_array_length(steps) = 1 and steps @> '[{"op": "insert"}]'
    and not steps -> 0 ?| array['returning', 'single', 'keep', 'refs', 'missing', 'maxAffected'];
  known jsonb := '[[]]'::jsonb;
  writes boolean := true;
  my_key uuid;
  earlier jsonb;
  results jsonb;
  this_second constant text := extract(epoch from date_trunc('second', now()))::bigint::text;
  name text;
  sql text;
begin
  if length(idempotency_key) between 1 and 255 is not true then
    raise exception 'an idempotency key has 1 to 255 characters' using errcode = '22023';
  end if;
  if current_setting('supabase_pool.earlier', true) is distinct from 'none' then
    earlier := supabase_pool.replayed_before_4(idempotency_key, steps);
    if earlier is not null then
      return earlier;
    end if;
  end if;
  if is_insert is not true then
    known := supabase_pool.known_results(steps);
    writes := known is not null or exists (select from jsonb_array_elements(steps) as step where not supabase_pool.only_reads(step));
  end if;
  if writes then
    my_key := supabase_pool.recorded(idempotency_key, steps, known);
  end if;
  if my_key is null then
    earlier := supabase_pool.replayed(idempotency_key, steps);
    if earlier is not null then
      return earlier;
    end if;
  end if;
  if is_insert then
    begin
      name := 'supabase_pool_' || encode(substr(sha256(convert_to(concat_ws(
        '|', current_setting('supabase_pool.path', true), steps #>> '{0,schema}', steps #>> '{0,table}', steps #>> '{0,columns}'
      ), 'UTF8')), 1, 16), 'hex');
      if (starts_with(current_setting('supabase_pool.ready', true), this_second)
          and strpos(current_setting('supabase_pool.ready', true), name) > 0)
        or supabase_pool.made_ready(name, steps -> 0, this_second) then
        sql := format('execute %I(%L)', name, steps #>> '{0,rows}');
        name := set_config(
          'search_path',
          case
            when starts_with(current_setting('supabase_pool.path'), concat('"', steps #>> '{0,schema}', '",'))
              then current_setting('supabase_pool.path')
            else concat_ws(', ', quote_ident(steps #>> '{0,schema}'), nullif(current_setting('supabase_pool.path'), ''))
          end,
          true
        );
        execute sql;
        name := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        results := known;
      end if;
    exception
      -- Somebody was in the way: the same again would be no other.
      when transaction_rollback then
        results := null;
        is_insert := false;
      -- Nothing of it is kept, and the general way says what is wrong with it.
      when others then
        results := null;
    end;
  end if;
  if results is null then
    results := supabase_pool.run_steps(steps, supabase_pool.extra_search_path());
    if known is null and writes then
      perform supabase_pool.record_result(my_key, results);
    end if;
  end if;
  if writes and current_setting('supabase_pool.looked_at', true) is distinct from this_second then
    perform set_config('supabase_pool.looked_at', this_second, false);
    perform supabase_pool.sweep();
  end if;
  return jsonb_build_object('replayed', false, 'results', results);
end
$$;

-- Whether a result is small enough to be kept. Its text is made only where that could be.
create or replace function supabase_pool.is_kept(result jsonb)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant integer := supabase_pool.max_kept_bytes();
begin
  return pg_column_size(result) <= most * 4::bigint and octet_length(result::text) <= most;
end
$$;

-- Whoever may write nothing could fill the table of records with keys that nobody used.
create or replace function supabase_pool.check_may_settle(my_caller uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant integer := supabase_pool.max_settled();
begin
  if most is null or (select r.rolbypassrls or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then
    return;
  end if;
  if (
    select count(*) from supabase_pool.transactions t
    where t.caller = my_caller and t.fingerprint is null and t.created_at > now() - interval '1 day'
  ) >= most then
    raise exception 'within a day % keys without a transaction were settled, and no more may be', most using errcode = '54000',
      hint = 'Send the transaction again under its key. supabase_pool.max_settled() has the limit: replace it to allow more.';
  end if;
end
$$;

-- What became of a transaction whose answer was lost. The answer is final: a transaction that has not been executed by
-- now never will be, since its key is taken. One that is under way is waited for.
create or replace function public.supabase_pool_transaction_settle(idempotency_key text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  me constant text := supabase_pool.caller();
  my_caller constant uuid := supabase_pool.digest(me);
  my_key constant uuid := supabase_pool.key_of(me, idempotency_key, '[]');
  executed boolean;
begin
  if length(idempotency_key) between 1 and 255 is not true then
    raise exception 'an idempotency key has 1 to 255 characters' using errcode = '22023';
  end if;
  if supabase_pool.is_nobody(me) then
    raise exception 'an anonymous transaction has no owner who could ask' using errcode = '42501',
      hint = 'Sign in: a token with a user in it (sub) has transactions of its own.';
  end if;
  select t.fingerprint <> 'settled' into executed from supabase_pool.transactions_before_4 t
    where (t.caller = me and t.key = supabase_pool.stored_key(idempotency_key))
      or (t.caller = supabase_pool.caller_of_version_1() and t.key = idempotency_key);
  if found then
    return jsonb_build_object('executed', executed);
  end if;
  select t.fingerprint is not null into executed from supabase_pool.transactions t where t.key = my_key;
  if found then
    return jsonb_build_object('executed', executed);
  end if;
  perform supabase_pool.check_may_settle(my_caller);
  if supabase_pool.recorded(idempotency_key, null, null) is not null then
    perform supabase_pool.sweep();
    return jsonb_build_object('executed', false);
  end if;
  select t.fingerprint is not null into executed from supabase_pool.transactions t where t.key = my_key;
  return jsonb_build_object('executed', executed);
end
$$;

comment on function public.supabase_pool_transaction(text, jsonb) is
  'effect-supabase-pool: several steps, all or none, once per idempotency key. Runs with the rights of whoever calls.';

-- ---------------------------------------------------------------------------------------------------- of earlier versions

-- Functions that are no more. One that something of a project's depends on stays, with a search path.
do $do$
declare
  gone text;
begin
  foreach gone in array array[
    'run_step(jsonb, jsonb)', 'run_transaction(text, jsonb, text)', 'replayed(text, text, text)', 'check_may_settle(text)',
    'executed(text, jsonb, text, boolean, boolean, bigint)', 'put_back(jsonb)', 'settings()', 'step_sql(jsonb, jsonb, jsonb)',
    'check_columns(jsonb, text)', 'field_sql(jsonb)', 'condition_sql(jsonb, jsonb)', 'filter_sql(jsonb, jsonb)',
    'where_sql(jsonb, jsonb)', 'order_sql(jsonb)', 'as_json(json)', 'as_json(jsonb)', 'as_json(anyelement)',
    'searched(tsvector)', 'searched(text)', 'searched(json)', 'searched(jsonb)', 'searched(tsvector, regconfig)',
    'searched(text, regconfig)', 'searched(json, regconfig)', 'searched(jsonb, regconfig)'
  ] loop
    begin
      execute pg_catalog.format('drop function if exists supabase_pool.%s', gone);
    exception when dependent_objects_still_exist then
      execute pg_catalog.format('alter function supabase_pool.%s set search_path = pg_catalog, pg_temp', gone);
    end;
  end loop;
end
$do$;

-- ---------------------------------------------------------------------------------------------------- who may call

grant usage on schema supabase_pool to anon, authenticated, service_role;
revoke all on supabase_pool.transactions, supabase_pool.transactions_before_4 from anon, authenticated, service_role;
grant select on supabase_pool.transactions, supabase_pool.transactions_before_4 to anon, authenticated, service_role;
revoke all on all functions in schema supabase_pool from public;
grant execute on all functions in schema supabase_pool to anon, authenticated, service_role;
revoke all on function supabase_pool.sweep_before_4() from anon, authenticated, service_role;
revoke all on function
  public.supabase_pool_ping(), public.supabase_pool_transaction(text, jsonb),
  public.supabase_pool_transaction_settle(text)
  from public;
grant execute on function public.supabase_pool_ping() to anon, authenticated, service_role;
grant execute on function
  public.supabase_pool_transaction(text, jsonb), public.supabase_pool_transaction_settle(text)
  to authenticated, service_role;

-- Not for anon, whom Supabase's default privileges would give it: anybody could fill the table of records. A project
-- that wants it grants it (docs/transactions.md), and this file does not take it away again.
do $do$
declare
  installed integer := 0;
begin
  if pg_catalog.to_regprocedure('public.supabase_pool_version()') is not null then
    installed := public.supabase_pool_version();
  end if;
  if installed < 2 then
    revoke all on function
      public.supabase_pool_transaction(text, jsonb), public.supabase_pool_transaction_settle(text)
      from anon;
  end if;
end
$do$;

-- What is installed; raised whenever this file changes what a client must know. Last: who finds it finds all of it.
create or replace function public.supabase_pool_version()
returns integer
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$begin return 4; end$$;
revoke all on function public.supabase_pool_version() from public;
grant execute on function public.supabase_pool_version() to anon, authenticated, service_role;
