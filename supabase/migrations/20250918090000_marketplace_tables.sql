-- The marketplace: who buys and sells, what is for sale, what was ordered.
-- Defaults are generous so that a row needs only what the database cannot know.

create table public.users (
  id uuid primary key default gen_random_uuid(),
  email text not null unique check (email <> ''),
  name text not null default '',
  role text not null default 'buyer' check (role in ('buyer', 'seller', 'admin')),
  created_at timestamptz not null default now()
);

create table public.profiles (
  user_id uuid primary key references public.users (id) on delete cascade,
  bio text not null default ''
);

create table public.shops (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid not null references public.users (id),
  name text not null unique check (name <> ''),
  created_at timestamptz not null default now()
);

create table public.products (
  id uuid primary key default gen_random_uuid(),
  shop_id uuid not null references public.shops (id) on delete cascade,
  seller_id uuid not null references public.users (id),
  title text not null check (title <> ''),
  description text not null default '',
  category text not null default 'other',
  price numeric(12, 2) not null check (price >= 0),
  stock integer not null default 0 check (stock >= 0),
  created_at timestamptz not null default now()
);

create table public.orders (
  id uuid primary key default gen_random_uuid(),
  buyer_id uuid not null references public.users (id),
  product_id uuid not null references public.products (id),
  quantity integer not null default 1 check (quantity > 0),
  total numeric(12, 2) not null check (total >= 0),
  status text not null default 'pending' check (status in ('pending', 'paid', 'shipped', 'cancelled')),
  created_at timestamptz not null default now()
);

-- PostgreSQL indexes no foreign key by itself: joins, policies and cascades would scan whole tables.
create index shops_owner_id_idx on public.shops (owner_id);
create index products_shop_id_idx on public.products (shop_id);
create index products_seller_id_idx on public.products (seller_id);
create index products_category_price_idx on public.products (category, price);
create index orders_buyer_id_idx on public.orders (buyer_id, created_at desc);
create index orders_product_id_idx on public.orders (product_id);
create index orders_created_at_idx on public.orders (created_at);
