-- Who may see and change what. Grants say which verbs a role has at all, policies say on which rows.
-- service_role bypasses row level security, so it needs grants and no policy.

alter table public.users enable row level security;
alter table public.profiles enable row level security;
alter table public.shops enable row level security;
alter table public.products enable row level security;
alter table public.orders enable row level security;

-- A Supabase project grants everything on new tables to these roles by default. What they need is named
-- instead, so that a policy forgotten later is not an open door.
revoke all on table public.users, public.profiles, public.shops, public.products, public.orders
  from public, anon, authenticated, service_role;
grant select on table public.users, public.profiles, public.shops, public.products, public.orders
  to anon, authenticated;
grant insert, update, delete on table public.users, public.profiles, public.shops, public.products, public.orders
  to authenticated;
grant select, insert, update, delete on table
  public.users, public.profiles, public.shops, public.products, public.orders
  to service_role;

-- `(select auth.uid())` is evaluated once per statement, a bare auth.uid() once per row.

create policy "a user sees their own row" on public.users
  for select to authenticated
  using (id = (select auth.uid()));
create policy "a user registers as a buyer" on public.users
  for insert to authenticated
  with check (id = (select auth.uid()) and role = 'buyer');
create policy "a user changes their own row" on public.users
  for update to authenticated
  using (id = (select auth.uid()))
  with check (id = (select auth.uid()));
create policy "a user removes their own row" on public.users
  for delete to authenticated
  using (id = (select auth.uid()));

-- A policy cannot compare the new row with the old one, so the role is guarded by a trigger.
create function public.guard_user_role() returns trigger
  language plpgsql
  security invoker
  set search_path = ''
as $$
begin
  if current_user in ('anon', 'authenticated') and new.role is distinct from old.role then
    raise exception 'a user may not change their own role'
      using errcode = '42501', hint = 'Roles are given with the service role key.';
  end if;
  return new;
end
$$;
revoke all on function public.guard_user_role() from public, anon, authenticated;

create trigger users_guard_role
  before update of role on public.users
  for each row execute function public.guard_user_role();

create policy "a user owns their profile" on public.profiles
  for all to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

create policy "everyone sees shops" on public.shops
  for select to anon, authenticated
  using (true);
create policy "an owner opens a shop" on public.shops
  for insert to authenticated
  with check (owner_id = (select auth.uid()));
create policy "an owner changes their shop" on public.shops
  for update to authenticated
  using (owner_id = (select auth.uid()))
  with check (owner_id = (select auth.uid()));
create policy "an owner closes their shop" on public.shops
  for delete to authenticated
  using (owner_id = (select auth.uid()));

create policy "everyone sees products" on public.products
  for select to anon, authenticated
  using (true);
create policy "an owner adds products to their shop" on public.products
  for insert to authenticated
  with check (
    seller_id = (select auth.uid())
    and exists (select 1 from public.shops s where s.id = shop_id and s.owner_id = (select auth.uid()))
  );
create policy "an owner changes products of their shop" on public.products
  for update to authenticated
  using (exists (select 1 from public.shops s where s.id = shop_id and s.owner_id = (select auth.uid())))
  with check (
    seller_id = (select auth.uid())
    and exists (select 1 from public.shops s where s.id = shop_id and s.owner_id = (select auth.uid()))
  );
create policy "an owner removes products of their shop" on public.products
  for delete to authenticated
  using (exists (select 1 from public.shops s where s.id = shop_id and s.owner_id = (select auth.uid())));

create policy "a buyer owns their orders" on public.orders
  for all to authenticated
  using (buyer_id = (select auth.uid()))
  with check (buyer_id = (select auth.uid()));
