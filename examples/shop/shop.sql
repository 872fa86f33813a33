create table public.products (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  price numeric(12, 2) not null check (price >= 0),
  stock integer not null check (stock >= 0)
);

create table public.orders (
  id uuid primary key default gen_random_uuid(),
  buyer_id uuid not null default auth.uid(),
  product_id uuid not null references public.products,
  quantity integer not null check (quantity > 0),
  total numeric(12, 2) not null,
  status text not null default 'open' check (status in ('open', 'cancelled')),
  placed_at timestamptz not null default now()
);
create index on public.orders (buyer_id, placed_at);

-- An order does what a user may not do by hand: it counts the stock down, and its price is the product's.
create function public.price_order() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.products set stock = stock - new.quantity where id = new.product_id
    returning price * new.quantity into new.total;
  return new;
end $$;
create trigger price_order before insert on public.orders for each row execute function public.price_order();

create function public.cancel_order() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.products set stock = stock + new.quantity where id = new.product_id;
  return new;
end $$;
create trigger cancel_order after update of status on public.orders for each row
  when (old.status = 'open' and new.status = 'cancelled') execute function public.cancel_order();

alter table public.products enable row level security;
alter table public.orders enable row level security;
create policy "everybody sees products" on public.products for select to anon, authenticated using (true);
create policy "a buyer sees their orders" on public.orders for select to authenticated using (buyer_id = (select auth.uid()));
create policy "a buyer orders" on public.orders for insert to authenticated with check (buyer_id = (select auth.uid()));
create policy "a buyer cancels" on public.orders for update to authenticated
  using (buyer_id = (select auth.uid())) with check (buyer_id = (select auth.uid()));

revoke all on public.products, public.orders from anon, authenticated;
grant select on public.products to anon, authenticated;
grant select on public.orders to authenticated;
grant insert (product_id, quantity) on public.orders to authenticated;
grant update (status) on public.orders to authenticated;
grant all on public.products, public.orders to service_role;
