-- Reports, aggregated where the rows are. Each takes the same three filters, all optional; from_time is inclusive
-- and to_time exclusive, so that neighbouring windows add up. A sale is an order that was paid or shipped.
-- Security invoker: a caller's report covers the orders and users that row level security shows them.

create function public.analytics_sales(
  from_time timestamptz default null,
  to_time timestamptz default null,
  shop_id uuid default null
)
returns table (day date, orders bigint, units bigint, revenue numeric, average_order numeric)
language sql
stable
security invoker
set search_path = ''
as $$
  select
    (o.created_at at time zone 'UTC')::date as day,
    count(*) as orders,
    coalesce(sum(o.quantity), 0) as units,
    coalesce(sum(o.total), 0) as revenue,
    round(avg(o.total), 2) as average_order
  from public.orders o
  join public.products p on p.id = o.product_id
  where o.status in ('paid', 'shipped')
    and (analytics_sales.from_time is null or o.created_at >= analytics_sales.from_time)
    and (analytics_sales.to_time is null or o.created_at < analytics_sales.to_time)
    and (analytics_sales.shop_id is null or p.shop_id = analytics_sales.shop_id)
  group by 1
  order by 1
$$;

create function public.analytics_products(
  from_time timestamptz default null,
  to_time timestamptz default null,
  shop_id uuid default null
)
returns table (
  product_id uuid,
  title text,
  category text,
  orders bigint,
  units bigint,
  revenue numeric,
  stock integer
)
language sql
stable
security invoker
set search_path = ''
as $$
  select
    p.id as product_id,
    p.title,
    p.category,
    count(*) as orders,
    coalesce(sum(o.quantity), 0) as units,
    coalesce(sum(o.total), 0) as revenue,
    p.stock
  from public.orders o
  join public.products p on p.id = o.product_id
  where o.status in ('paid', 'shipped')
    and (analytics_products.from_time is null or o.created_at >= analytics_products.from_time)
    and (analytics_products.to_time is null or o.created_at < analytics_products.to_time)
    and (analytics_products.shop_id is null or p.shop_id = analytics_products.shop_id)
  group by p.id
  order by revenue desc, p.id
$$;

create function public.analytics_users(
  from_time timestamptz default null,
  to_time timestamptz default null,
  shop_id uuid default null
)
returns table (role text, users bigint, new_users bigint, active_buyers bigint, revenue numeric)
language sql
stable
security invoker
set search_path = ''
as $$
  with spending as (
    select o.buyer_id, sum(o.total) as revenue
    from public.orders o
    join public.products p on p.id = o.product_id
    where o.status in ('paid', 'shipped')
      and (analytics_users.from_time is null or o.created_at >= analytics_users.from_time)
      and (analytics_users.to_time is null or o.created_at < analytics_users.to_time)
      and (analytics_users.shop_id is null or p.shop_id = analytics_users.shop_id)
    group by o.buyer_id
  )
  select
    u.role,
    count(*) as users,
    count(*) filter (
      where (analytics_users.from_time is null or u.created_at >= analytics_users.from_time)
        and (analytics_users.to_time is null or u.created_at < analytics_users.to_time)
    ) as new_users,
    count(s.buyer_id) as active_buyers,
    coalesce(sum(s.revenue), 0) as revenue
  from public.users u
  left join spending s on s.buyer_id = u.id
  group by u.role
  order by u.role
$$;

revoke all on function
  public.analytics_sales(timestamptz, timestamptz, uuid),
  public.analytics_products(timestamptz, timestamptz, uuid),
  public.analytics_users(timestamptz, timestamptz, uuid)
  from public;
grant execute on function
  public.analytics_sales(timestamptz, timestamptz, uuid),
  public.analytics_products(timestamptz, timestamptz, uuid),
  public.analytics_users(timestamptz, timestamptz, uuid)
  to anon, authenticated, service_role;
