-- The marketplace that `npm start` shows: 50 users, 50 profiles, 10 shops, 500 products, 300 orders.
-- No random() and no now(): every start holds the same rows, so tests and examples may name them.
-- Ids: a digit for the table (1 users, 2 shops, 3 products, 4 orders) and the row's number, from 1.

-- User 1 is the admin, 2 to 11 sell (user n + 1 owns shop n), 12 to 50 buy.
insert into public.users (id, email, name, role, created_at)
select
  ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
  lower(first_name || '.' || last_name) || '@example.com',
  first_name || ' ' || last_name,
  case when n = 1 then 'admin' when n <= 11 then 'seller' else 'buyer' end,
  timestamptz '2025-03-01 08:00:00+00' + (n - 1) * interval '2 days 3 hours'
from (
  select
    n,
    (array[
      'Ada', 'Bruno', 'Chiara', 'Dmitri', 'Elif', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Keiko', 'Liam', 'Maya',
      'Nadia', 'Oskar', 'Priya', 'Quentin', 'Rosa', 'Samuel', 'Tove', 'Uma', 'Viktor', 'Wanda', 'Ximena', 'Yusuf'
    ])[(n - 1) % 25 + 1] as first_name,
    (array[
      'Almeida', 'Berg', 'Castillo', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Jansen', 'Kowalski',
      'Larsen', 'Moreau', 'Nguyen', 'Okafor', 'Petrov', 'Quiroga', 'Rossi', 'Silva', 'Tanaka'
    ])[(n - 1) % 20 + 1] as last_name
  from generate_series(1, 50) as n
) as people;

insert into public.profiles (user_id, bio)
select
  u.id,
  case u.role
    when 'admin' then 'Keeps the marketplace running.'
    when 'seller' then u.name || ' runs a small shop and answers within a day.'
    else 'Buys here since ' || to_char(u.created_at at time zone 'UTC', 'FMMonth YYYY') || '.'
  end
from public.users u;

insert into public.shops (id, owner_id, name, created_at)
select
  ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
  ('10000000-0000-4000-8000-' || lpad((n + 1)::text, 12, '0'))::uuid,
  (array[
    'Harbour Electronics', 'Northlight Computers', 'Quiet Room Audio', 'Lens & Light', 'Second Player',
    'The Copper Pan', 'Oak & Linen', 'Trailhead Outfitters', 'Paper Lantern Books', 'Wheel House Cycles'
  ])[n],
  timestamptz '2025-04-01 09:00:00+00' + (n - 1) * interval '1 day'
from generate_series(1, 10) as n;

-- Ten categories of 50: ten models, each in five variants. A shop sells two categories.
insert into public.products (id, shop_id, seller_id, title, description, category, price, stock, created_at)
select
  ('30000000-0000-4000-8000-' || lpad(p.n::text, 12, '0'))::uuid,
  ('20000000-0000-4000-8000-' || lpad(p.shop::text, 12, '0'))::uuid,
  ('10000000-0000-4000-8000-' || lpad((p.shop + 1)::text, 12, '0'))::uuid,
  c.models[p.model] || ' ' || c.noun || ', ' || c.variants[p.variant],
  c.blurb || ' ' || (array[
    'Two years of warranty.', 'Ships within one working day.', 'Returns are free for 30 days.',
    'Checked by hand before it leaves the shop.', 'Packed without plastic.'
  ])[(p.n - 1) % 5 + 1],
  c.category,
  round(c.base * (0.70 + 0.09 * p.model) * (0.85 + 0.15 * p.variant)) - 0.05,
  case when p.n % 17 = 0 then 0 else (p.n * 37) % 60 + 1 end,
  timestamptz '2025-04-10 07:30:00+00' + p.n * interval '2 hours'
from (
  select
    n,
    (n - 1) % 10 + 1 as shop,
    case when ((n - 1) / 10) % 2 = 0 then (n - 1) % 10 + 1 else ((n - 1) % 10 + 3) % 10 + 1 end as category,
    ((n - 1) / 10) % 10 + 1 as model,
    (n - 1) / 100 + 1 as variant
  from generate_series(1, 500) as n
) as p
join (
  values
    (1, 'phones', 'Smartphone', 520.0, 'A bright screen and a battery for two days.',
      array['Halden One', 'Halden Pro', 'Mira 5', 'Mira 5 Max', 'Corvid S', 'Corvid X', 'Lumo Mini', 'Lumo Note', 'Tern 8', 'Tern 8 Ultra'],
      array['64 GB', '128 GB', '256 GB', '512 GB', '1 TB']),
    (2, 'laptops', 'Laptop', 980.0, 'A quiet laptop with a keyboard made for long days.',
      array['Aster 13', 'Aster 14', 'Aster 16 Pro', 'Fjord Air', 'Fjord Studio', 'Kestrel Book', 'Kestrel Book Pro', 'Slate 14', 'Slate 15 OLED', 'Titan 17'],
      array['8 GB RAM, 256 GB', '16 GB RAM, 512 GB', '16 GB RAM, 1 TB', '32 GB RAM, 1 TB', '64 GB RAM, 2 TB']),
    (3, 'audio', 'Headphones', 160.0, 'Warm sound that stays comfortable for hours.',
      array['Hush 100', 'Hush 300', 'Hush 700', 'Drift Open', 'Drift Closed', 'Stagehand', 'Stagehand II', 'Nimbus', 'Nimbus Pro', 'Reverie'],
      array['Wired, Black', 'Wired, Ivory', 'Wireless, Black', 'Wireless, Blue', 'Wireless, Noise Cancelling']),
    (4, 'cameras', 'Camera', 740.0, 'Fast focus, honest colours, weather sealed.',
      array['Iris 20', 'Iris 40', 'Iris 60', 'Vista M1', 'Vista M2', 'Vista M3', 'Pocket Owl', 'Field Owl', 'Night Owl', 'Great Owl'],
      array['Body Only', '35 mm Kit', '50 mm Kit', '24-70 mm Kit', '70-200 mm Kit']),
    (5, 'gaming', 'Controller', 70.0, 'Precise sticks and buttons that last.',
      array['Arcadia', 'Arcadia Plus', 'Rally', 'Rally Wheelbase', 'Pixel Pad', 'Pixel Pad Mini', 'Duel', 'Duel Elite', 'Orbit', 'Orbit Pro'],
      array['Graphite', 'White', 'Red', 'Wireless, Graphite', 'Wireless, Limited Edition']),
    (6, 'kitchen', 'Saucepan', 85.0, 'Heats evenly and cleans easily.',
      array['Lyon', 'Lyon Deep', 'Basel', 'Basel Low', 'Sapporo', 'Sapporo Light', 'Oaxaca', 'Porto', 'Porto Heavy', 'Everyday'],
      array['14 cm', '16 cm', '18 cm', '20 cm', '24 cm with Lid']),
    (7, 'home', 'Blanket', 95.0, 'Woven in a small mill, softer with every wash.',
      array['Skagen', 'Skagen Herringbone', 'Highland', 'Highland Check', 'Dune', 'Dune Stripe', 'Alpaca', 'Alpaca Fringe', 'Meadow', 'Winter'],
      array['100 x 150 cm', '130 x 170 cm', '140 x 200 cm', '180 x 220 cm', '220 x 240 cm']),
    (8, 'outdoor', 'Backpack', 130.0, 'Carries its weight on the hips, not on the shoulders.',
      array['Cairn', 'Cairn Light', 'Ridge', 'Ridge Tour', 'Boulder', 'Summit', 'Summit Winter', 'Wander', 'Wander City', 'Basecamp'],
      array['18 l', '26 l', '34 l', '48 l', '65 l']),
    (9, 'books', 'Notebook', 18.0, 'Sewn binding and paper that takes ink well.',
      array['Field Notes of a Gardener', 'Harbour', 'Atlas', 'Margin', 'Ledger', 'Sketch', 'Score', 'Quarto', 'Octavo', 'Night Desk'],
      array['Plain', 'Lined', 'Dotted', 'Squared', 'Boxed Set of Three']),
    (10, 'cycling', 'Bicycle', 890.0, 'A light frame, hub gears, and mudguards that fit.',
      array['Canal', 'Canal Step-Through', 'Courier', 'Courier Belt', 'Gravel Road', 'Gravel Road Pro', 'Randonneur', 'Hill', 'Hill Electric', 'Cargo'],
      array['Size XS', 'Size S', 'Size M', 'Size L', 'Size XL'])
) as c (number, category, noun, base, blurb, models, variants) on c.number = p.category;

-- About three orders a day over a hundred days; 7, 131 and 10 share no factor with what they are taken modulo.
insert into public.orders (id, buyer_id, product_id, quantity, total, status, created_at)
select
  ('40000000-0000-4000-8000-' || lpad(o.n::text, 12, '0'))::uuid,
  ('10000000-0000-4000-8000-' || lpad((12 + (o.n * 7) % 39)::text, 12, '0'))::uuid,
  p.id,
  o.quantity,
  p.price * o.quantity,
  (array['paid', 'shipped', 'shipped', 'pending', 'paid', 'shipped', 'cancelled', 'shipped', 'paid', 'pending'])[o.n % 10 + 1],
  timestamptz '2025-06-01 00:00:00+00' + o.n * interval '8 hours 7 minutes'
from (
  select n, 1 + (n % 5) / 2 as quantity, ('30000000-0000-4000-8000-' || lpad(((n * 131) % 500 + 1)::text, 12, '0'))::uuid as product_id
  from generate_series(1, 300) as n
) as o
join public.products p on p.id = o.product_id;
