-- A scratch table for tests: nothing refers to it, everyone may do everything with it.
create table public.notes (
  id uuid primary key default gen_random_uuid(),
  body text not null default '',
  n integer unique,
  amount numeric(12, 2),
  tags jsonb not null default '[]',
  done boolean not null default false,
  at timestamptz not null default now()
);
grant all on table public.notes to anon, authenticated, service_role;
