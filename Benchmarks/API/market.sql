-- A marketplace as it may be after some years. Variables: gonggus, users, password_hash.
-- Ids count up, so that a load generator can name any of them.
\set ON_ERROR_STOP on
set synchronous_commit = off;
set jit = off;
select setseed(0.5);

-- The first two thousand are influencers. All have one password; hashing a million would take days.
insert into users (id, email, nickname, role, password_hash)
select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'member-' || n || '@example.com', '회원' || n,
    case when n <= 2000 then 'influencer' else 'buyer' end, :'password_hash'
from generate_series(1, :users) as n;

insert into influencer_profiles (user_id, is_verified, bio)
select id, true, '매일 쓰는 것만 고릅니다'
from users where role = 'influencer';

insert into categories (id, name, sort_order)
select ('00000000-0000-4000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, '분류' || n, n
from generate_series(1, 10) as n;
insert into categories (id, parent_id, name, sort_order)
select ('00000000-0000-4000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('00000000-0000-4000-a000-' || lpad(to_hex(n % 10 + 1), 12, '0'))::uuid, '세부' || n, n
from generate_series(11, 100) as n;

-- A third is over, a third is open, a third is to come.
insert into gonggus
    (id, influencer_id, open_at, close_at, created_at, original_price, gonggu_price, title,
    description, external_url, thumbnail)
select ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('00000000-0000-4000-8000-' || lpad(to_hex(n % 2000 + 1), 12, '0'))::uuid,
    now() + make_interval(days => n % 90 - 60, secs => n % 86400),
    now() + make_interval(days => n % 90 - 30, secs => n % 86400),
    now() - make_interval(mins => n),
    price, price * (50 + n % 50) / 100,
    (array['여름', '겨울', '신생아', '캠핑', '제주', '유기농', '무선', '대용량'])[n % 8 + 1]
        || (array['공구특가', '육아템', '로봇청소기', '세제', '감귤', '텐트', '분유', '매트'])
            [n / 8 % 8 + 1]
        || ' ' || n || '차',
    repeat((array['직접 써 보고 고른 것입니다. ', '오늘만 이 값입니다. ', 'Free shipping. '])[n % 3 + 1],
        n % 12 + 1),
    'https://shop.example.com/items/' || n, 'https://cdn.example.com/images/' || n || '.webp'
from generate_series(0, :gonggus - 1) as n,
    lateral (select 10000 + n * 7919 % 490000 as price) as priced;

insert into gonggu_categories (gonggu_id, category_id)
select id, ('00000000-0000-4000-a000-' || lpad(to_hex(
    11 + ('x' || right(id::text, 6))::bit(24)::int % 90), 12, '0'))::uuid
from gonggus;
insert into gonggu_categories (gonggu_id, category_id)
select id, ('00000000-0000-4000-a000-' || lpad(to_hex(
    11 + (('x' || right(id::text, 6))::bit(24)::int + 7) % 90), 12, '0'))::uuid
from gonggus where right(id::text, 1) in ('1', '5', '9', 'd');

update gonggu_click_totals
set clicks = ('x' || right(md5(gonggu_id::text), 4))::bit(16)::int;

-- What the peer searches by, as its guide says: words, since there is no Korean configuration.
create index peer_search_idx on gonggus
    using gin (to_tsvector('simple', title || ' ' || description));

vacuum analyze;
