-- Of test/table/where.test.ts: every kind of column that `where` is asked about, each of which may be NULL.
create table public.where_kinds (
  id uuid primary key default gen_random_uuid(),
  batch text not null,
  label text,
  n integer,
  price numeric,
  serial bigint,
  done boolean,
  at timestamptz,
  tags text[],
  data jsonb
);
grant all on table public.where_kinds to anon, authenticated, service_role;
