-- What effect-supabase-pool needs in the database: a ping, and transactions that happen exactly once. Version 3: whole in
-- itself, so that a new project needs this file alone, and a project that has an earlier one this one after it.
--
-- Nothing here gives anybody a right: whatever a step does is done as whoever calls (security invoker), so grants and row
-- level security hold; a step reaches what PostgREST shows and nothing else; identifiers go through %I and values through
-- %L or as parameters; no text of a caller's is ever SQL. The one definer function, sweep, takes nothing and deletes
-- records of transactions that are a day old. The file can be applied again at any time: what a project has replaced or
-- granted stays.
--
-- Names without a schema are PostgreSQL's own: each function has a search path of its own, with pg_temp last, where types
-- would be looked for first. Those few that cannot have one, and the SQL of steps, write pg_catalog before everything: a
-- function or an operator of the same name elsewhere would run with the rights of all who call.

create schema if not exists supabase_pool;

comment on schema supabase_pool is 'effect-supabase-pool: bookkeeping of transactions. Do not expose it in the API.';

-- The pool asks this to learn whether the database answers.
create or replace function public.supabase_pool_ping()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as 'select true';

-- The schemas that transactions may touch: as PostgREST's db-schemas, it keeps the API from showing what the roles could
-- reach in SQL. Replace this function to allow more; applying this file again leaves a replaced one alone.
do $do$
begin
  if pg_catalog.to_regprocedure('supabase_pool.exposed_schemas()') is null then
    create function supabase_pool.exposed_schemas()
    returns text[]
    language sql
    immutable
    set search_path = pg_catalog, pg_temp
    as $$select array['public']$$;
  end if;

  -- The most rows that a step gives back, as PostgREST's db-max-rows; null for no limit. An insert gives back as many as
  -- it was given. Replace it to allow more.
  if pg_catalog.to_regprocedure('supabase_pool.max_rows()') is null then
    create function supabase_pool.max_rows()
    returns integer
    language sql
    immutable
    set search_path = pg_catalog, pg_temp
    as $$select 1000$$;
  end if;

  -- The most rows that all steps of a transaction give back; null for no limit. Replace it to allow more.
  if pg_catalog.to_regprocedure('supabase_pool.max_total_rows()') is null then
    create function supabase_pool.max_total_rows()
    returns bigint
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    as $$select 10 * supabase_pool.max_rows()::bigint$$;
  end if;

  -- The most steps of a transaction; null for no limit. Replace it to allow more.
  if pg_catalog.to_regprocedure('supabase_pool.max_steps()') is null then
    create function supabase_pool.max_steps()
    returns integer
    language sql
    immutable
    set search_path = pg_catalog, pg_temp
    as $$select 1000$$;
  end if;

  -- The largest result, in bytes of JSON, that is kept for a second arrival. Of a larger one it is only known that it was
  -- executed. Replace it to keep more.
  if pg_catalog.to_regprocedure('supabase_pool.max_kept_bytes()') is null then
    create function supabase_pool.max_kept_bytes()
    returns integer
    language sql
    immutable
    set search_path = pg_catalog, pg_temp
    as $$select 32768$$;
  end if;

  -- The most keys that a caller may settle within a day without a transaction under them: each is a record. Null for no
  -- limit; there is none for a role that row level security does not bind. Replace it to allow more.
  if pg_catalog.to_regprocedure('supabase_pool.max_settled()') is null then
    create function supabase_pool.max_settled()
    returns integer
    language sql
    immutable
    set search_path = pg_catalog, pg_temp
    as $$select 100$$;
  end if;
end
$do$;

-- A claim of the token; those that PostgREST set singly, of old, come first, as in Supabase's auth.uid().
create or replace function supabase_pool.claim(name text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.' || name, true), ''),
    nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> name, '')
  )
$$;

-- Whose transaction it is. With a user: the role, the issuer, and the user, which is one within its issuer. Without one:
-- the role alone where row level security does not bind it, since nothing is hidden from it; else nobody in particular,
-- apart from others by the rest of the token, of which what changes with each one is left out.
create or replace function supabase_pool.caller()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when supabase_pool.claim('sub') is not null
      then jsonb_build_array('user', current_user, supabase_pool.claim('iss'), supabase_pool.claim('sub'))::text
    when (select r.rolbypassrls or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user)
      then current_user || ':'
    else jsonb_build_array('nobody', current_user, encode(sha256(convert_to(
      (coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb, '{}') - '{exp,iat,nbf,jti}'::text[])::text, 'UTF8'
    )), 'hex'))::text
  end
$$;

-- Whether a caller is nobody in particular: somebody else may be the same caller.
create or replace function supabase_pool.is_nobody(caller text)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$select starts_with(caller, '["nobody"')$$;

-- As whom version 1 recorded the caller, whose records are honoured; null where that one could be somebody else. No
-- record of this version is under such a name but those of the roles that are named as before.
create or replace function supabase_pool.caller_of_version_1()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when not supabase_pool.is_nobody(supabase_pool.caller()) or current_user = 'anon'
      then current_user || ':' || coalesce(supabase_pool.claim('sub'), '')
  end
$$;

-- A result that is null was too large to be kept.
create table if not exists supabase_pool.transactions (
  caller text not null,
  key text not null,
  fingerprint text not null,
  result jsonb,
  created_at timestamptz not null default now(),
  primary key (caller, key)
);

create index if not exists transactions_created_at on supabase_pool.transactions (created_at);

-- By which the keys that a caller has settled are counted.
create index if not exists transactions_settled on supabase_pool.transactions (caller, created_at) where fingerprint = 'settled';

alter table supabase_pool.transactions enable row level security;

do $do$
begin
  -- Dropping it and making it anew would wait for all transactions that run.
  if not exists (
    select from pg_catalog.pg_policy p
    where p.polrelid = 'supabase_pool.transactions'::pg_catalog.regclass and p.polname = 'own transactions'
  ) then
    create policy "own transactions" on supabase_pool.transactions
      using (caller = (select supabase_pool.caller()))
      with check (caller = (select supabase_pool.caller()));
  end if;
  if not exists (
    select from pg_catalog.pg_policy p
    where p.polrelid = 'supabase_pool.transactions'::pg_catalog.regclass and p.polname = 'transactions of version 1'
  ) then
    create policy "transactions of version 1" on supabase_pool.transactions for select
      using (caller = (select supabase_pool.caller_of_version_1()));
  end if;
end
$do$;

-- Records older than a day, whosever they are: their owners may never come back to do it. A few at a time.
create or replace function supabase_pool.sweep()
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  delete from supabase_pool.transactions t where (t.caller, t.key) in (
    select o.caller, o.key from supabase_pool.transactions o
    where o.created_at < now() - interval '1 day'
    order by o.created_at
    limit 100 for update skip locked
  )
$$;
revoke all on function supabase_pool.sweep() from public;

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
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when step ? 'refs' then (
      select jsonb_agg(
        supabase_pool.row_with_references(given, step -> 'refs' -> (position - 1)::text, kept) order by position
      )
      from jsonb_array_elements(step -> 'rows') with ordinality as listed(given, position)
    )
    else step -> 'rows'
  end
$$;

-- What PostgREST decides by a column's type is decided here by overloading. Without a search path of their own, so that
-- PostgreSQL inlines them and indexes on the expressions are used.

create or replace function supabase_pool.as_json(value json) returns json
  language sql immutable as 'select value';
create or replace function supabase_pool.as_json(value jsonb) returns jsonb
  language sql immutable as 'select value';
create or replace function supabase_pool.as_json(value anyelement) returns jsonb
  language sql stable as 'select pg_catalog.to_jsonb(value)';

create or replace function supabase_pool.searched(value tsvector) returns tsvector
  language sql immutable as 'select value';
create or replace function supabase_pool.searched(value text) returns tsvector
  language sql stable as 'select pg_catalog.to_tsvector(value)';
create or replace function supabase_pool.searched(value json) returns tsvector
  language sql stable as 'select pg_catalog.to_tsvector(value)';
create or replace function supabase_pool.searched(value jsonb) returns tsvector
  language sql stable as 'select pg_catalog.to_tsvector(value)';
create or replace function supabase_pool.searched(value tsvector, config regconfig) returns tsvector
  language sql immutable as 'select value';
create or replace function supabase_pool.searched(value text, config regconfig) returns tsvector
  language sql immutable as 'select pg_catalog.to_tsvector(config, value)';
create or replace function supabase_pool.searched(value json, config regconfig) returns tsvector
  language sql immutable as 'select pg_catalog.to_tsvector(config, value)';
create or replace function supabase_pool.searched(value jsonb, config regconfig) returns tsvector
  language sql immutable as 'select pg_catalog.to_tsvector(config, value)';

-- ---------------------------------------------------------------------------------------------------- SQL text

-- A column, or a place inside a JSON column: {"column": c, "path": [["->", "a"], ["->>", 0]]}.
create or replace function supabase_pool.field_sql(field jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  sql text := format('t.%I', field ->> 'column');
  hop jsonb;
begin
  if jsonb_array_length(field -> 'path') > 0 then
    sql := format('supabase_pool.as_json(%s)', sql);
  end if;
  for hop in select * from jsonb_array_elements(coalesce(field -> 'path', '[]')) loop
    sql := sql
      || case hop ->> 0 when '->>' then ' operator(pg_catalog.->>) ' else ' operator(pg_catalog.->) ' end
      || case jsonb_typeof(hop -> 1) when 'number' then (hop ->> 1)::integer::text else format('%L', hop ->> 1) end;
  end loop;
  return sql;
end
$$;

create or replace function supabase_pool.list_sql(vals jsonb, kept jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%L', supabase_pool.value_of(v, kept)), ', ')
  from jsonb_array_elements(vals) as v
$$;

create or replace function supabase_pool.condition_sql(node jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  field text := supabase_pool.field_sql(node);
  op text := node ->> 'op';
  val text := supabase_pool.value_of(node -> 'value', kept);
  -- Only what stands in this list becomes an operator.
  operator text := ('{
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like", "ilike": "ilike",
    "match": "~", "imatch": "~*", "cs": "@>", "cd": "<@", "ov": "&&", "sl": "<<", "sr": ">>", "nxr": "&<", "nxl": "&>",
    "adj": "-|-", "isdistinct": "is distinct from"
  }'::jsonb) ->> op;
  query text := ('{
    "fts": "to_tsquery", "plfts": "plainto_tsquery", "phfts": "phraseto_tsquery", "wfts": "websearch_to_tsquery"
  }'::jsonb) ->> op;
  config text := format('%L::pg_catalog.regconfig', node ->> 'config');
  state text := ('{
    "null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"
  }'::jsonb) ->> val;
begin
  if op = 'in' then
    return case when jsonb_array_length(node -> 'values') = 0 then 'false'
      else format('%s in (%s)', field, supabase_pool.list_sql(node -> 'values', kept)) end;
  elsif op = 'is' and state is not null then
    return format('%s is %s', field, state);
  elsif query is not null and node ? 'config' then
    return format('supabase_pool.searched(%s, %s) operator(pg_catalog.@@) pg_catalog.%s(%s, %L)', field, config, query, config, val);
  elsif query is not null then
    return format('supabase_pool.searched(%s) operator(pg_catalog.@@) pg_catalog.%s(%L)', field, query, val);
  elsif operator is not null and node ->> 'quantifier' in ('any', 'all') then
    return format('%s %s %s (%L)', field, operator, node ->> 'quantifier', val);
  elsif operator is not null then
    return format('%s %s %L', field, operator, val);
  end if;
  raise exception 'unknown operator %', coalesce(op || case op when 'is' then '.' || val else '' end, 'null') using errcode = '22023';
end
$$;

create or replace function supabase_pool.filter_sql(node jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  connective text;
  parts text[] := '{}';
  part jsonb;
begin
  if node ? 'not' then
    return format('not (%s)', supabase_pool.filter_sql(node -> 'not', kept));
  end if;
  connective := case when node ? 'or' then 'or' when node ? 'and' then 'and' end;
  if connective is null then
    return supabase_pool.condition_sql(node, kept);
  end if;
  for part in select * from jsonb_array_elements(node -> connective) loop
    parts := parts || format('(%s)', supabase_pool.filter_sql(part, kept));
  end loop;
  return case when cardinality(parts) > 0 then array_to_string(parts, format(' %s ', connective)) else 'true' end;
end
$$;

-- ' where …', or nothing: an update without a condition stays one, for extensions that forbid it.
create or replace function supabase_pool.where_sql(filter jsonb, kept jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when jsonb_array_length(filter -> 'and') = 0 then '' else ' where ' || supabase_pool.filter_sql(filter, kept) end
$$;

create or replace function supabase_pool.names_sql(names jsonb, prefix text default '')
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(prefix || format('%I', name), ', ') from jsonb_array_elements_text(names) as name
$$;

-- '::type', or nothing where no cast is asked for. The type is looked up, and its name comes from the catalogue: one of
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
  if type_name is null then
    return '';
  end if;
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
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_array_length(columns) = 0 then '''{}''::pg_catalog.jsonb'
    else format('(select pg_catalog.to_jsonb(o.*) from (select %s) as o)', (
      select string_agg(format('t.%I%s as %I', item ->> 1, supabase_pool.cast_sql(item ->> 2), item ->> 0), ', ')
      from jsonb_array_elements(columns) as item
    ))
  end
$$;

-- What a step gives back: "*" or a list as above, with the columns that later steps refer to beside it. The whole
-- row is t.*, since t alone is a column where the table has one of that name.
create or replace function supabase_pool.output_sql(columns jsonb, keep jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select format(
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
  )
$$;

create or replace function supabase_pool.order_sql(terms jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(' order by ' || string_agg(
    supabase_pool.field_sql(term)
      || case when (term ->> 'descending')::boolean then ' desc' else ' asc' end
      || case term ->> 'nulls' when 'first' then ' nulls first' when 'last' then ' nulls last' else '' end,
    ', ' order by position
  ), '')
  from jsonb_array_elements(coalesce(terms, '[]')) with ordinality as listed(term, position)
$$;

-- The columns of the primary key, as a JSON array: what an upsert without onConflict compares.
create or replace function supabase_pool.primary_key(relation regclass)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(a.attname order by array_position(c.conkey, a.attnum))
  from pg_catalog.pg_constraint c
  join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
  where c.conrelid = relation and c.contype = 'p'
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
  if step ->> 'op' <> 'upsert' then
    return '';
  end if;
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
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
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
  parts text[] := '{}';
begin
  for col in select * from jsonb_array_elements_text(columns) loop
    select format('%I %I.%I', a.attname, n.nspname, y.typname) into typed
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type y on y.oid = a.atttypid
    join pg_catalog.pg_namespace n on n.oid = y.typnamespace
    where a.attrelid = relation and a.attname::text = col and a.attnum > 0 and not a.attisdropped;
    if not found then
      raise exception 'column % of relation % does not exist', quote_ident(col), relation using errcode = '42703';
    end if;
    parts := array_append(parts, typed);
  end loop;
  return array_to_string(parts, ', ');
end
$$;

-- The values of a row: what is missing is null or, where the step says so, the column's default.
create or replace function supabase_pool.row_sql(step jsonb, relation text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(
    case
      when step ->> 'missing' = 'default' then format(
        'case when p.given operator(pg_catalog.?) %1$L then r.%1$I else %2$s end', col, supabase_pool.default_sql(relation::regclass, col)
      )
      else format('r.%I', col)
    end,
    ', ' order by position
  )
  from jsonb_array_elements_text(step -> 'columns') with ordinality as listed(col, position)
$$;

-- A statement of insert or upsert; its rows are the parameter $1.
create or replace function supabase_pool.insert_sql(step jsonb, relation text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_array_length(step -> 'columns') = 0
      then format('insert into %s as t select from pg_catalog.jsonb_array_elements($1)', relation)
    else format(
      'insert into %s as t (%s) select %s from pg_catalog.jsonb_array_elements($1) as p(given), '
        || 'lateral pg_catalog.jsonb_to_record(p.given) as r(%s)',
      relation,
      supabase_pool.names_sql(step -> 'columns'),
      supabase_pool.row_sql(step, relation),
      supabase_pool.typed_sql(relation::regclass, step -> 'columns')
    )
  end || supabase_pool.conflict_sql(step, relation)
$$;

-- What an update makes of a column: the value given, or the column's own and that.
create or replace function supabase_pool.change_sql(col text, how text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  case coalesce(how, 'set')
    when 'set' then
      return format('%1$I = r.%1$I', col);
    when 'add' then
      return format('%1$I = t.%1$I operator(pg_catalog.+) r.%1$I', col);
    when 'subtract' then
      return format('%1$I = t.%1$I operator(pg_catalog.-) r.%1$I', col);
    else
      raise exception 'unknown change %', quote_literal(how) using errcode = '22023';
  end case;
end
$$;

-- A statement of update; the changes are the only row of the parameter $1, and "by" has those that count from what the
-- column has: {"stock": "subtract"}.
create or replace function supabase_pool.update_sql(step jsonb, relation text, condition text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select format(
    'update %s as t set %s from pg_catalog.jsonb_to_record($1 operator(pg_catalog.->) 0) as r(%s)%s',
    relation,
    (
      select string_agg(supabase_pool.change_sql(name, step -> 'by' ->> name), ', ')
      from jsonb_array_elements_text(step -> 'columns') as name
    ),
    supabase_pool.typed_sql(relation::regclass, step -> 'columns'),
    condition
  )
$$;

-- The names of what a function takes; those of what it gives stand among them in the catalogue.
create or replace function supabase_pool.inputs(p pg_catalog.pg_proc)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(coalesce(name, '') order by position), '{}')
  from unnest(p.proargnames, p.proargmodes) with ordinality as listed(name, mode, position)
  where coalesce(mode, 'i') in ('i', 'b', 'v')
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

-- PostgREST's computed column: a function that takes a row of the relation and gives one value. All that could be meant
-- have to be such, since PostgreSQL chooses.
create or replace function supabase_pool.is_computed(relation oid, col text, path text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(bool_and(p.prokind = 'f' and not p.proretset), false)
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_class c on c.reltype = p.proargtypes[0]
  where c.oid = relation and p.proname::text = col and p.pronargs >= 1 and p.pronargs - p.pronargdefaults <= 1
    and n.nspname = any (supabase_pool.schemas_of(path))
$$;

-- t.name is the function name(t) where t has no such column, and every aggregate can be called so: one row with all rows
-- in it, past the limit of rows. So what a step names is a column, or it is refused.
create or replace function supabase_pool.check_columns(step jsonb, path text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  relation oid;
  col text;
begin
  if step ->> 'op' = 'rpc' then
    return;
  end if;
  select c.oid into relation from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname::text = step ->> 'schema' and c.relname::text = step ->> 'table';
  for col in
    select item ->> 1 from jsonb_array_elements(case when jsonb_typeof(step -> 'returning') = 'array' then step -> 'returning' end) as item
    union select name from jsonb_array_elements_text(step -> 'keep') as name
    union select term ->> 'column' from jsonb_array_elements(step -> 'order') as term
    union select supabase_pool.filter_columns(step -> 'filter') where step ? 'filter'
    union select supabase_pool.filter_columns(guard) from jsonb_array_elements(step -> 'expect') as guard
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
    raise exception 'the step needs version % of the transaction function, and this is version 3', needed using errcode = '0A000',
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

-- The rows of a step, as its filter says, and what is expected of them.
create or replace function supabase_pool.wanted(step jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when step ? 'expect' then jsonb_build_object('and', coalesce(step -> 'filter' -> 'and', '[]') || (step -> 'expect'))
    else coalesce(step -> 'filter', '{"and": []}')
  end
$$;

-- The statement of a step: rows of (visible, kept), or nothing where nothing is asked for. payload, its parameter $1, has
-- the rows with all references replaced.
create or replace function supabase_pool.step_sql(step jsonb, payload jsonb, kept jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A call has no table.
  relation text := format('%I.%I', step ->> 'schema', coalesce(step ->> 'table', ''));
  op text := step ->> 'op';
  output text := supabase_pool.output_sql(step -> 'returning', step -> 'keep');
  given_back text := case when step ? 'returning' or step ? 'keep' then ' returning ' || output else '' end;
  condition text := supabase_pool.where_sql(supabase_pool.wanted(step), kept);
begin
  case op
    when 'select' then
      return format('select %s from %s as t%s%s', output, relation, condition, supabase_pool.order_sql(step -> 'order'))
        || coalesce(' limit ' || least((step ->> 'limit')::bigint, supabase_pool.max_rows()::bigint + 1), '')
        || coalesce(' offset ' || (step ->> 'offset')::bigint, '')
        || case when step ? 'lock' then supabase_pool.lock_sql(step ->> 'lock') else '' end;
    when 'insert', 'upsert' then
      return supabase_pool.insert_sql(step, relation) || given_back;
    when 'update' then
      -- Nothing to change: no row is.
      if jsonb_array_length(step -> 'columns') = 0 then
        return format('select %s from %s as t where false', output, relation);
      end if;
      return supabase_pool.update_sql(step, relation, condition) || given_back;
    when 'delete' then
      return format('delete from %s as t%s%s', relation, condition, given_back);
    when 'rpc' then
      return supabase_pool.call_sql(step, payload -> 0);
    else
      raise exception 'unknown operation %', coalesce(quote_literal(op), 'null') using errcode = '22023';
  end case;
end
$$;

-- What PostgREST's schema cache has, and nothing else (its query for tables in src/library/PostgREST/SchemaCache.hs, version
-- 17): ordinary and partitioned tables, views, materialised views and foreign tables in an exposed schema that is not
-- PostgreSQL's. Not partitions: the row level security of the table that they are a part of does not hold in them.
create or replace function supabase_pool.is_shown(schema_name text, relation_name text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select schema_name = any (supabase_pool.exposed_schemas())
    and schema_name not in ('information_schema', 'supabase_pool') and schema_name !~ '^pg_'
    and (relation_name is null or exists (
      select from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname::text = schema_name and c.relname::text = relation_name
        and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    ))
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
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case split_part(step ->> 'op', '@', 1)
    when 'select' then not step ? 'lock'
    -- It changes nothing, and asks for no more than the right to read.
    when 'update' then jsonb_array_length(step -> 'columns') = 0
    when 'rpc' then coalesce((
      select bool_and(p.provolatile <> 'v')
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname::text = step ->> 'schema' and p.proname::text = step ->> 'function'
    ), false)
    else false
  end
$$;

-- What a request sets and a function of a step could change: the next step has to find it as a request of its own would.
create or replace function supabase_pool.settings()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  name text;
  found jsonb := '{}';
begin
  foreach name in array array[
    'role', 'request.jwt.claims', 'request.headers', 'request.cookies', 'request.method', 'request.path', 'row_security',
    'TimeZone',
    -- Those of old, which Supabase's auth.uid(), auth.role() and auth.email() look at first.
    'request.jwt.claim.sub', 'request.jwt.claim.iss', 'request.jwt.claim.role', 'request.jwt.claim.email', 'request.jwt.claim'
  ] loop
    found := found || jsonb_build_object(name, coalesce(current_setting(name, true), ''));
  end loop;
  return found;
end
$$;

create or replace function supabase_pool.put_back(before jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  name text;
begin
  if supabase_pool.settings() = before then
    return;
  end if;
  for name in select jsonb_object_keys(before) loop
    if coalesce(current_setting(name, true), '') <> before ->> name then
      perform set_config(name, before ->> name, true);
    end if;
  end loop;
end
$$;

-- The search path that PostgREST would set for a request of that schema: it, then those of the request that there is.
create or replace function supabase_pool.path_of(schema_name text, path text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when starts_with(path || ',', quote_ident(schema_name) || ',') or starts_with(path || ',', format('"%s",', schema_name))
      then path
    else concat_ws(', ', quote_ident(schema_name), nullif(path, ''))
  end
$$;

-- Runs the statement of a step, the only SQL here that is not executed with a path of our own: the caller's triggers,
-- operators and types are found where they are without a transaction. What only reads is read-only, as a request is;
-- the handler, which catches nothing, makes the subtransaction with which that ends.
create or replace function supabase_pool.executed(
  sql text, payload jsonb, path text, reads boolean, gives boolean, most bigint,
  out affected bigint, out visible jsonb, out first jsonb
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  bounded text := case when most is null then '' else format(' limit %s', most) end;
begin
  if gives then
    sql := format(
      'with w as materialized (%s) select (select pg_catalog.count(*) from w), '
        || '(select coalesce(pg_catalog.jsonb_agg(l.visible), ''[]'') from (select w.visible from w%s) as l), '
        || '(select w.kept from w limit 1)',
      sql, bounded
    );
  end if;
  begin
    if reads then
      perform pg_catalog.set_config('transaction_read_only', 'on', true);
    end if;
    perform pg_catalog.set_config('search_path', path, true);
    if gives then
      execute sql into affected, visible, first using payload;
    else
      execute sql using payload;
      get diagnostics affected = row_count;
      visible := '[]';
    end if;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  exception when sqlstate 'SP000' then
    raise;
  end;
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
  relation text := format('%I.%I', step ->> 'schema', step ->> 'table');
  ran record;
  failed bigint;
begin
  select * into ran from supabase_pool.executed(
    format(
      'select pg_catalog.jsonb_build_array(%s) as visible, null::pg_catalog.jsonb as kept from %s as t%s',
      (
        select string_agg(format('(%s) is true', supabase_pool.filter_sql(guard, kept)), ', ' order by position)
        from jsonb_array_elements(step -> 'expect') with ordinality as listed(guard, position)
      ),
      relation,
      supabase_pool.where_sql(coalesce(step -> 'filter', '{"and": []}'), kept)
    ),
    null, path, true, true, 1
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
  payload jsonb := supabase_pool.rows_of(step, kept);
  op text := step ->> 'op';
  -- Those that add rows give back what they were given.
  most bigint := case when op in ('insert', 'upsert') then null else supabase_pool.max_rows() end;
  sql text;
  called pg_catalog.pg_proc;
  ran record;
begin
  perform supabase_pool.check_exposed(step);
  perform supabase_pool.check_columns(step, supabase_pool.path_of(step ->> 'schema', path));
  sql := supabase_pool.step_sql(step, payload, kept);
  if op = 'rpc' then
    select p.* into called from pg_catalog.pg_proc p where p.oid = supabase_pool.chosen_function(step, payload -> 0);
  end if;
  -- Guards may hold again by the time that somebody looks which did not: so it is tried again. A row that is seen and may
  -- not be written is none, as without guards.
  for attempt in 1 .. 3 loop
    select * into ran from supabase_pool.executed(
      sql, payload, supabase_pool.path_of(step ->> 'schema', path),
      (op = 'select' and not step ? 'lock') or coalesce(called.provolatile <> 'v', false),
      op in ('select', 'rpc') or step ? 'returning' or step ? 'keep', most
    );
    exit when ran.affected > 0 or not step ? 'expect';
    perform supabase_pool.check_expected(step, kept, supabase_pool.path_of(step ->> 'schema', path));
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
    'counted', case when op in ('insert', 'upsert') then 0 else jsonb_array_length(ran.visible) end
  );
end
$$;

-- ---------------------------------------------------------------------------------------------------- the transaction

-- A key as it is recorded: a long one takes no more room than its digest.
create or replace function supabase_pool.stored_key(key text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when octet_length(key) <= 64 then key else 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex') end
$$;

-- What is recorded under a key, as the answer to a second arrival; null where there is no record. print is the digest of
-- the steps.
create or replace function supabase_pool.replayed(me text, my_key text, print text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  earlier supabase_pool.transactions;
begin
  select * into earlier from supabase_pool.transactions t where t.caller = me and t.key = my_key;
  if not found then
    return null;
  end if;
  if earlier.fingerprint = 'settled' then
    raise exception 'this transaction was settled as not executed' using errcode = '57014', hint = 'Use a new key.';
  end if;
  if earlier.fingerprint is distinct from print then
    raise exception 'this idempotency key was used for another transaction'
      using errcode = '22023', hint = 'Use a new key for new steps.';
  end if;
  if earlier.result is null then
    return jsonb_build_object('replayed', true, 'gone', true);
  end if;
  return jsonb_build_object('replayed', true, 'results', earlier.result);
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
  request jsonb := supabase_pool.settings();
  step jsonb;
  at_step integer := -1;
  most_steps integer := supabase_pool.max_steps();
  most_rows bigint := supabase_pool.max_total_rows();
  given bigint := 0;
  outcome jsonb;
  results jsonb[] := '{}';
  kept jsonb := '{}';
  state text; reason text; more text; advice text;
begin
  if jsonb_array_length(steps) > most_steps then
    at_step := most_steps;
    raise exception 'there are % steps, more than %', jsonb_array_length(steps), most_steps using errcode = '54000',
      hint = 'Give many rows to one step, or send several transactions. supabase_pool.max_steps() has the limit: replace it to allow more.';
  end if;
  for step in select * from jsonb_array_elements(steps) loop
    at_step := at_step + 1;
    if strpos(step ->> 'op', '@') > 0 then
      step := supabase_pool.understood(step);
    end if;
    outcome := supabase_pool.run_step(step, kept, path);
    given := given + (outcome ->> 'counted')::bigint;
    if given > most_rows then
      raise exception 'the steps up to this one give back % rows, more than %', given, most_rows using errcode = '54000',
        hint = 'Narrow them, send several transactions, or select nothing of a write. supabase_pool.max_total_rows() has the limit: replace it to allow more.';
    end if;
    results := array_append(results, outcome -> 'visible');
    if step ? 'keep' then
      kept := kept || jsonb_build_object(at_step::text, outcome -> 'kept');
    end if;
    perform supabase_pool.put_back(request);
  end loop;
  return to_jsonb(results);
-- A statement timeout is not among others.
exception when query_canceled or others then
  get stacked diagnostics
    state = returned_sqlstate, reason = message_text, more = pg_exception_detail, advice = pg_exception_hint;
  -- Codes that an API answers with words of its own, and loses the step (what is missing; PGRST), and codes that tell a
  -- client that the end is unknown (08, 40003), which it is not when a step raises them.
  raise exception using
    errcode = case when state ~ '^(42P01|42703|42883|PGRST|08...|40003)$' then 'P0001' else state end,
    message = reason, hint = advice,
    detail = jsonb_build_object('supabase_pool_step', at_step, 'code', state, 'details', more)::text;
end
$$;

-- A key takes part in what follows only where something may be written: what only reads can be read again, and leaves no
-- record.
create or replace function supabase_pool.run_transaction(idempotency_key text, steps jsonb, path text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  me text := supabase_pool.caller();
  print text := encode(sha256(convert_to(steps::text, 'UTF8')), 'hex');
  -- Whoever is nobody in particular and sends the same key may be somebody else: there the steps are a part of the key.
  whole_key text := case when supabase_pool.is_nobody(me) then idempotency_key || ':' || print else idempotency_key end;
  my_key text := supabase_pool.stored_key(whole_key);
  writes boolean;
  earlier jsonb;
  results jsonb;
begin
  if length(idempotency_key) between 1 and 255 is not true then
    raise exception 'an idempotency key has 1 to 255 characters' using errcode = '22023';
  end if;
  earlier := supabase_pool.replayed(supabase_pool.caller_of_version_1(), whole_key, print);
  if earlier is not null then
    return earlier;
  end if;
  writes := exists (select from jsonb_array_elements(steps) as step where not supabase_pool.only_reads(step));
  if writes then
    insert into supabase_pool.transactions (caller, key, fingerprint) values (me, my_key, print)
      on conflict (caller, key) do nothing;
  end if;
  if not (writes and found) then
    earlier := supabase_pool.replayed(me, my_key, print);
    if earlier is not null then
      return earlier;
    end if;
  end if;
  results := supabase_pool.run_steps(steps, path);
  if writes then
    update supabase_pool.transactions t
      set result = case when octet_length(results::text) <= supabase_pool.max_kept_bytes() then results end
      where t.caller = me and t.key = my_key;
    perform supabase_pool.sweep();
  end if;
  return jsonb_build_object('replayed', false, 'results', results);
end
$$;

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
-- time, gets the first one's result. Records are kept for a day. Without a search path of its own: it hands on the one
-- that the request has, which the steps are to find.
create or replace function public.supabase_pool_transaction(idempotency_key text, steps jsonb)
returns jsonb
language plpgsql
volatile
security invoker
as $$
begin
  return supabase_pool.run_transaction(idempotency_key, steps, pg_catalog.current_setting('search_path'));
end
$$;

-- Whoever may write nothing could fill the table of records with keys that nobody used.
create or replace function supabase_pool.check_may_settle(me text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  most integer := supabase_pool.max_settled();
begin
  if most is null or (select r.rolbypassrls or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then
    return;
  end if;
  if (
    select count(*) from supabase_pool.transactions t
    where t.caller = me and t.fingerprint = 'settled' and t.created_at > now() - interval '1 day'
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
  me text := supabase_pool.caller();
  my_key text := supabase_pool.stored_key(idempotency_key);
  print text;
begin
  if length(idempotency_key) between 1 and 255 is not true then
    raise exception 'an idempotency key has 1 to 255 characters' using errcode = '22023';
  end if;
  if supabase_pool.is_nobody(me) then
    raise exception 'an anonymous transaction has no owner who could ask' using errcode = '42501',
      hint = 'Sign in: a token with a user in it (sub) has transactions of its own.';
  end if;
  select t.fingerprint into print from supabase_pool.transactions t
    where (t.caller = me and t.key = my_key) or (t.caller = supabase_pool.caller_of_version_1() and t.key = idempotency_key);
  if found then
    return jsonb_build_object('executed', print <> 'settled');
  end if;
  perform supabase_pool.check_may_settle(me);
  insert into supabase_pool.transactions (caller, key, fingerprint) values (me, my_key, 'settled')
    on conflict (caller, key) do nothing;
  if found then
    perform supabase_pool.sweep();
    return jsonb_build_object('executed', false);
  end if;
  select t.fingerprint into print from supabase_pool.transactions t where t.caller = me and t.key = my_key;
  return jsonb_build_object('executed', print <> 'settled');
end
$$;

comment on function public.supabase_pool_transaction(text, jsonb) is
  'effect-supabase-pool: several steps, all or none, once per idempotency key. Runs with the rights of whoever calls.';

-- ---------------------------------------------------------------------------------------------------- who may call

grant usage on schema supabase_pool to anon, authenticated, service_role;
grant select, insert, update, delete on supabase_pool.transactions to anon, authenticated, service_role;
revoke all on all functions in schema supabase_pool from public;
grant execute on all functions in schema supabase_pool to anon, authenticated, service_role;
revoke all on function
  public.supabase_pool_ping(), public.supabase_pool_transaction(text, jsonb), public.supabase_pool_transaction_settle(text)
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

-- Of version 1.
drop function if exists supabase_pool.run_step(jsonb, jsonb);

-- What is installed; raised whenever this file changes what a client must know. Last: who finds it finds all of it.
create or replace function public.supabase_pool_version()
returns integer
language sql
immutable
set search_path = pg_catalog, pg_temp
as 'select 3';
revoke all on function public.supabase_pool_version() from public;
grant execute on function public.supabase_pool_version() to anon, authenticated, service_role;
