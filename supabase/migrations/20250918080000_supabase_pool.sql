-- What effect-supabase-pool needs in the database: a ping, and transactions that happen exactly once.
--
-- Nothing here gives anybody a right: every function is security invoker, so grants and row level security hold for
-- whoever calls; identifiers go through %I and values through %L; no text of a caller's is ever SQL. It can be applied
-- again at any time.

create schema if not exists supabase_pool;

comment on schema supabase_pool is 'effect-supabase-pool: bookkeeping of transactions. Do not expose it in the API.';

-- The pool asks this to learn whether the database answers.
create or replace function public.supabase_pool_ping()
returns boolean
language sql
stable
set search_path = ''
as 'select true';

-- What is installed; raised whenever this file changes what a client must know.
create or replace function public.supabase_pool_version()
returns integer
language sql
immutable
set search_path = ''
as 'select 1';

-- The schemas that transactions may touch: as PostgREST's db-schemas, it keeps the API from showing what the roles could
-- reach in SQL. Replace this function to allow more.
create or replace function supabase_pool.exposed_schemas()
returns text[]
language sql
immutable
set search_path = ''
as $$select array['public']$$;

-- Whose transaction it is: the role, and the user where there is one.
create or replace function supabase_pool.caller()
returns text
language sql
stable
set search_path = ''
as $$
  select current_user || ':' || coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')
$$;

create table if not exists supabase_pool.transactions (
  caller text not null,
  key text not null,
  fingerprint text not null,
  result jsonb,
  created_at timestamptz not null default now(),
  primary key (caller, key)
);

create index if not exists transactions_created_at on supabase_pool.transactions (created_at);

alter table supabase_pool.transactions enable row level security;

drop policy if exists "own transactions" on supabase_pool.transactions;
create policy "own transactions" on supabase_pool.transactions
  using (caller = supabase_pool.caller())
  with check (caller = supabase_pool.caller());

-- ---------------------------------------------------------------------------------------------------- values

-- A value of a step, as text: {"v": text} is the text, {"r": [step, column]} is what an earlier step's first row has.
create or replace function supabase_pool.value_of(value jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  if value ? 'r' then
    return supabase_pool.referred((value #>> '{r,0}')::integer, value #>> '{r,1}', kept) #>> '{}';
  end if;
  return value ->> 'v';
end
$$;

create or replace function supabase_pool.referred(step integer, col text, kept jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(kept -> step -> 0) is distinct from 'object' then
    raise exception 'step % gave no row to refer to', step using errcode = 'P0002';
  end if;
  if not (kept -> step -> 0) ? col then
    raise exception 'the row of step % has no column %', step, quote_ident(col) using errcode = '42703';
  end if;
  return kept -> step -> 0 -> col;
end
$$;

-- The rows of a step with every reference replaced: refs is [[path, step, column], …].
create or replace function supabase_pool.with_references(payload jsonb, refs jsonb, kept jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  ref jsonb;
begin
  for ref in select * from jsonb_array_elements(coalesce(refs, '[]')) loop
    payload := jsonb_set(
      payload,
      array(select jsonb_array_elements_text(ref -> 0)),
      supabase_pool.referred((ref ->> 1)::integer, ref ->> 2, kept)
    );
  end loop;
  return payload;
end
$$;

-- ---------------------------------------------------------------------------------------------------- SQL text

-- A column, or a place inside a JSON column: {"column": c, "path": [["->", "a"], ["->>", 0]]}.
create or replace function supabase_pool.field_sql(field jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  sql text := format('t.%I', field ->> 'column');
  hop jsonb;
begin
  for hop in select * from jsonb_array_elements(coalesce(field -> 'path', '[]')) loop
    sql := sql
      || case hop ->> 0 when '->>' then '->>' else '->' end
      || case jsonb_typeof(hop -> 1) when 'number' then (hop ->> 1)::integer::text else format('%L', hop ->> 1) end;
  end loop;
  return sql;
end
$$;

create or replace function supabase_pool.list_sql(vals jsonb, kept jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select string_agg(format('%L', supabase_pool.value_of(v, kept)), ', ')
  from jsonb_array_elements(vals) as v
$$;

create or replace function supabase_pool.condition_sql(node jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = ''
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
  config text := case when node ->> 'config' is null then '' else format('%L::regconfig, ', node ->> 'config') end;
begin
  if op = 'in' then
    return case when jsonb_array_length(node -> 'values') = 0 then 'false'
      else format('%s in (%s)', field, supabase_pool.list_sql(node -> 'values', kept)) end;
  elsif op = 'is' then
    return field || case val
      when 'null' then ' is null' when 'not_null' then ' is not null' when 'true' then ' is true'
      when 'false' then ' is false' when 'unknown' then ' is unknown' end;
  elsif query is not null then
    return format('%s @@ pg_catalog.%s(%s%L)', field, query, config, val);
  elsif operator is not null and node ->> 'quantifier' in ('any', 'all') then
    return format('%s %s %s (%L)', field, operator, node ->> 'quantifier', val);
  elsif operator is not null then
    return format('%s %s %L', field, operator, val);
  end if;
  raise exception 'unknown operator %', quote_literal(op) using errcode = '22023';
end
$$;

create or replace function supabase_pool.filter_sql(node jsonb, kept jsonb)
returns text
language plpgsql
immutable
set search_path = ''
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
set search_path = ''
as $$
  select case when jsonb_array_length(filter -> 'and') = 0 then '' else ' where ' || supabase_pool.filter_sql(filter, kept) end
$$;

create or replace function supabase_pool.names_sql(names jsonb, prefix text default '')
returns text
language sql
immutable
set search_path = ''
as $$
  select string_agg(prefix || format('%I', name), ', ') from jsonb_array_elements_text(names) as name
$$;

-- What a step gives back: "*" or [[alias, column], …], with the columns that later steps refer to beside it.
create or replace function supabase_pool.output_sql(columns jsonb, keep jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  item jsonb;
  visible text[] := '{}';
  kept text[] := '{}';
begin
  if jsonb_typeof(columns) = 'array' then
    for item in select * from jsonb_array_elements(columns) loop
      visible := visible || format('%L, t.%I', item ->> 0, item ->> 1);
    end loop;
  end if;
  for item in select * from jsonb_array_elements(coalesce(keep, '[]')) loop
    kept := kept || format('%L, t.%I', item #>> '{}', item #>> '{}');
  end loop;
  return format(
    '%s as visible, pg_catalog.jsonb_build_object(%s) as kept',
    case
      when columns = '"*"' then 'pg_catalog.to_jsonb(t)'
      when jsonb_typeof(columns) = 'array' then format('pg_catalog.jsonb_build_object(%s)', array_to_string(visible, ', '))
      else 'null::jsonb'
    end,
    array_to_string(kept, ', ')
  );
end
$$;

create or replace function supabase_pool.order_sql(terms jsonb)
returns text
language sql
immutable
set search_path = ''
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
set search_path = ''
as $$
  select jsonb_agg(a.attname order by array_position(i.indkey::smallint[], a.attnum))
  from pg_catalog.pg_index i
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
  where i.indrelid = relation and i.indisprimary
$$;

create or replace function supabase_pool.conflict_sql(step jsonb, relation text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  target jsonb := coalesce(step -> 'onConflict', supabase_pool.primary_key(relation::regclass));
  action text;
begin
  if step ->> 'op' <> 'upsert' then
    return '';
  end if;
  if target is null then
    raise exception 'upsert into % needs onConflict: it has no primary key', relation using errcode = '42P10';
  end if;
  if (step ->> 'ignoreDuplicates')::boolean then
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
set search_path = ''
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

-- The values of a row: what is missing is null or, where the step says so, the column's default.
create or replace function supabase_pool.row_sql(step jsonb, relation text)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(
    case
      when step ->> 'missing' = 'default' then format(
        'case when r.given ? %1$L then (r.filled).%1$I else %2$s end', col, supabase_pool.default_sql(relation::regclass, col)
      )
      else format('(r.filled).%I', col)
    end,
    ', ' order by position
  )
  from jsonb_array_elements_text(step -> 'columns') with ordinality as listed(col, position)
$$;

-- A statement of insert or upsert.
create or replace function supabase_pool.insert_sql(step jsonb, relation text, rows jsonb)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when jsonb_array_length(step -> 'columns') = 0 then format('insert into %s as t default values', relation)
    else format(
      'insert into %1$s as t (%2$s) select %3$s from (select given, pg_catalog.jsonb_populate_record(null::%1$s, given) as filled'
        || ' from pg_catalog.jsonb_array_elements(%4$L::jsonb) as given) as r%5$s',
      relation,
      supabase_pool.names_sql(step -> 'columns'),
      supabase_pool.row_sql(step, relation),
      rows,
      supabase_pool.conflict_sql(step, relation)
    )
  end
$$;

-- The one function that takes these arguments by name: all that is given has a name there, and all that has no default
-- is given.
create or replace function supabase_pool.chosen_function(step jsonb, args jsonb)
returns oid
language plpgsql
stable
set search_path = ''
as $$
declare
  given text[] := array(select jsonb_object_keys(args));
  candidates oid[];
begin
  select coalesce(array_agg(p.oid), '{}') into candidates
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  cross join lateral (select coalesce(p.proargnames[1:p.pronargs], '{}') as names) as input
  where n.nspname = step ->> 'schema' and p.proname = step ->> 'function' and p.prokind = 'f' and p.provariadic = 0
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

-- The call of a function by the names of its arguments, each as its declared type.
create or replace function supabase_pool.call_sql(step jsonb, args jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  qualified text := format('%I.%I', step ->> 'schema', step ->> 'function');
  chosen oid := supabase_pool.chosen_function(step, args);
  declared text;
  passed text;
begin
  select
    string_agg(format('%I %s', p.proargnames[i], format_type(p.proargtypes[i - 1], null)), ', '),
    string_agg(format('%1$I := args.%1$I', p.proargnames[i]), ', ')
  into declared, passed
  from pg_catalog.pg_proc p, generate_series(1, p.pronargs) as i
  where p.oid = chosen and args ? p.proargnames[i];
  return format(
    'select %s as visible, null::jsonb as kept from %s',
    case when (select p.prorettype from pg_catalog.pg_proc p where p.oid = chosen) = 'pg_catalog.void'::regtype
      then 'null::jsonb' else 'pg_catalog.to_jsonb(t)' end,
    case when declared is null then format('%s() as t', qualified)
      else format('pg_catalog.jsonb_to_record(%L::jsonb) as args(%s), lateral %s(%s) as t', args, declared, qualified, passed) end
  );
end
$$;

-- ---------------------------------------------------------------------------------------------------- steps

-- The statement of a step. Each returns rows of (visible, kept), or nothing where nothing is asked for.
create or replace function supabase_pool.step_sql(step jsonb, kept jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A call has no table.
  relation text := format('%I.%I', step ->> 'schema', coalesce(step ->> 'table', ''));
  op text := step ->> 'op';
  payload jsonb := supabase_pool.with_references(step -> 'rows', step -> 'refs', kept);
  output text := supabase_pool.output_sql(step -> 'returning', step -> 'keep');
  given_back text := case when step ? 'returning' or step ? 'keep' then ' returning ' || output else '' end;
  condition text := supabase_pool.where_sql(coalesce(step -> 'filter', '{"and": []}'), kept);
begin
  case op
    when 'select' then
      return format('select %s from %s as t%s%s', output, relation, condition, supabase_pool.order_sql(step -> 'order'))
        || coalesce(' limit ' || (step ->> 'limit')::bigint, '')
        || coalesce(' offset ' || (step ->> 'offset')::bigint, '');
    when 'insert', 'upsert' then
      return supabase_pool.insert_sql(step, relation, payload) || given_back;
    when 'update' then
      return format(
        'update %1$s as t set %2$s from pg_catalog.jsonb_populate_record(null::%1$s, %3$L::jsonb) as r%4$s%5$s',
        relation,
        (select string_agg(format('%1$I = r.%1$I', name), ', ') from jsonb_array_elements_text(step -> 'columns') as name),
        payload -> 0, condition, given_back
      );
    when 'delete' then
      return format('delete from %s as t%s%s', relation, condition, given_back);
    when 'rpc' then
      return supabase_pool.call_sql(step, payload -> 0);
    else
      raise exception 'unknown operation %', quote_literal(op) using errcode = '22023';
  end case;
end
$$;

-- Runs one step and gives {"visible": [rows], "kept": [rows]}. Not with an empty search path: the caller's triggers and
-- operators must find what they find without a transaction.
create or replace function supabase_pool.run_step(step jsonb, kept jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  sql text;
  affected bigint;
  visible jsonb := '[]';
  hidden jsonb := '[]';
begin
  if not (step ->> 'schema') = any (supabase_pool.exposed_schemas()) then
    raise exception 'schema % is not open to transactions', pg_catalog.quote_ident(step ->> 'schema')
      using errcode = '42501', hint = 'Add it to supabase_pool.exposed_schemas().';
  end if;
  sql := supabase_pool.step_sql(step, kept);
  if sql like 'select %' or step ? 'returning' or step ? 'keep' then
    execute format('with w as (%s) select count(*), coalesce(jsonb_agg(visible), ''[]''), coalesce(jsonb_agg(kept), ''[]'') from w', sql)
      into affected, visible, hidden;
  else
    execute sql;
    get diagnostics affected = row_count;
  end if;
  if step ->> 'op' = 'rpc' and not (
    select p.proretset from pg_catalog.pg_proc p
    where p.oid = supabase_pool.chosen_function(step, supabase_pool.with_references(step -> 'rows', step -> 'refs', kept) -> 0)
  ) then
    return jsonb_build_object('visible', visible -> 0, 'kept', hidden);
  end if;
  if affected > (step ->> 'maxAffected')::bigint then
    raise exception '% rows would be affected, more than %', affected, step ->> 'maxAffected' using errcode = '21000';
  end if;
  if (step ->> 'single' = 'one' and affected <> 1) or (step ->> 'single' = 'maybe' and affected > 1) then
    raise exception 'one row was asked for and there are %', affected
      using errcode = case affected when 0 then 'P0002' else 'P0003' end;
  end if;
  return jsonb_build_object('visible', visible, 'kept', hidden);
end
$$;

-- ---------------------------------------------------------------------------------------------------- the transaction

-- Executes the steps in order, all or none, and once for each key of a caller: a second arrival, also one at the same
-- time, gets the first one's result. Records are kept for a day.
create or replace function public.supabase_pool_transaction(idempotency_key text, steps jsonb)
returns jsonb
language plpgsql
volatile
security invoker
as $$
declare
  me text := supabase_pool.caller();
  print text := pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(steps::text, 'UTF8')), 'hex');
  -- Whoever is anonymous and sends the same key may be somebody else: there the steps are a part of the key.
  my_key text := case when me = 'anon:' then idempotency_key || ':' || print else idempotency_key end;
  earlier supabase_pool.transactions;
  step jsonb;
  at_step integer := -1;
  outcome jsonb;
  results jsonb := '[]';
  kept jsonb := '[]';
  state text; reason text; more text; advice text;
begin
  insert into supabase_pool.transactions (caller, key, fingerprint) values (me, my_key, print)
    on conflict (caller, key) do nothing;
  if not found then
    select * into earlier from supabase_pool.transactions t where t.caller = me and t.key = my_key;
    if earlier.fingerprint = 'settled' then
      raise exception 'this transaction was settled as not executed' using errcode = '57014', hint = 'Use a new key.';
    end if;
    if earlier.fingerprint is distinct from print then
      raise exception 'this idempotency key was used for another transaction'
        using errcode = '22023', hint = 'Use a new key for new steps.';
    end if;
    return jsonb_build_object('replayed', true, 'results', earlier.result);
  end if;

  begin
    for step in select * from jsonb_array_elements(steps) loop
      at_step := at_step + 1;
      outcome := supabase_pool.run_step(step, kept);
      results := results || jsonb_build_array(outcome -> 'visible');
      kept := kept || jsonb_build_array(outcome -> 'kept');
    end loop;
  exception when others then
    get stacked diagnostics
      state = returned_sqlstate, reason = message_text, more = pg_exception_detail, advice = pg_exception_hint;
    -- An API may answer what is missing (42P01, 42703, 42883) with words of its own, and lose the step.
    raise exception using
      errcode = case when state in ('42P01', '42703', '42883') then 'P0001' else state end, message = reason, hint = advice,
      detail = jsonb_build_object('supabase_pool_step', at_step, 'code', state, 'details', more)::text;
  end;

  update supabase_pool.transactions t set result = results where t.caller = me and t.key = my_key;
  delete from supabase_pool.transactions t where (t.caller, t.key) in (
    select o.caller, o.key from supabase_pool.transactions o
    where o.created_at < now() - interval '1 day' and o.caller = me
    limit 100 for update skip locked
  );
  return jsonb_build_object('replayed', false, 'results', results);
end
$$;

-- What became of a transaction whose answer was lost. The answer is final: a transaction that has not been executed by
-- now never will be, since its key is taken. One that is under way is waited for.
create or replace function public.supabase_pool_transaction_settle(idempotency_key text)
returns jsonb
language plpgsql
volatile
security invoker
as $$
declare
  me text := supabase_pool.caller();
  earlier supabase_pool.transactions;
begin
  if me = 'anon:' then
    raise exception 'an anonymous transaction has no owner who could ask' using errcode = '42501';
  end if;
  insert into supabase_pool.transactions (caller, key, fingerprint) values (me, idempotency_key, 'settled')
    on conflict (caller, key) do nothing;
  if found then
    return jsonb_build_object('executed', false);
  end if;
  select * into earlier from supabase_pool.transactions t where t.caller = me and t.key = idempotency_key;
  return jsonb_build_object('executed', earlier.fingerprint <> 'settled');
end
$$;

comment on function public.supabase_pool_transaction(text, jsonb) is
  'effect-supabase-pool: several steps, all or none, once per idempotency key. Runs with the rights of whoever calls.';

grant usage on schema supabase_pool to anon, authenticated, service_role;
grant select, insert, update, delete on supabase_pool.transactions to anon, authenticated, service_role;
grant execute on all functions in schema supabase_pool to anon, authenticated, service_role;
grant execute on function
  public.supabase_pool_ping(), public.supabase_pool_version(), public.supabase_pool_transaction(text, jsonb),
  public.supabase_pool_transaction_settle(text)
  to anon, authenticated, service_role;
