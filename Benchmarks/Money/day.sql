-- A Korean day of clicks as one of two edges has judged each: 10 % are fetched ahead, 5 % come back
-- within the window, half of them at the other edge, which took them for valid, and the rest are
-- valid, but for the end of a flood in each hundred thousand. Variables: clicks, gonggus, day.
\set ON_ERROR_STOP on
set synchronous_commit = off;
set jit = off;

insert into users (id, email, nickname, role)
values ('00000000-0000-4000-8000-000000000001', 'money@example.com', 'money', 'influencer');

insert into gonggus
    (id, influencer_id, open_at, close_at, original_price, gonggu_price, title, external_url)
select ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
    '00000000-0000-4000-8000-000000000001', '2020-01-01', '2040-01-01', 2, 1, '공구 ' || n,
    'https://shop.example/' || n
from generate_series(0, :gonggus - 1) as n;
-- They were known before the clicks.
delete from gonggu_terms;
insert into gonggu_terms (known_at, open_at, close_at, gonggu_id, influencer_id, is_off)
select '2020-01-01', open_at, close_at, id, influencer_id, false from gonggus;

insert into user_agents (agent)
select 'Mozilla/5.0 (Linux; Android 15; SM-S9' || n % 100 || 'N) AppleWebKit/537.36 (KHTML, like '
    || 'Gecko) Chrome/130.0.' || n || '.0 Mobile Safari/537.36'
from generate_series(1, 5000) as n;

select ensure_click_partition(:'day'::date);

insert into click_trackings
    (clicked_at, visitor_key, id, gonggu_id, user_agent_id, verdict, rule_set, path, click_count,
    device, ip_address, country)
select moment, visitor * 7919,
    (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
    ('00000000-0000-4000-9000-' || lpad(to_hex(
        case when visitor % 2 = 0 then visitor * 7919 % (:gonggus / 10 + 1)
            else visitor * 104729 % :gonggus end
    ), 12, '0'))::uuid,
    visitor % 5000 + 1,
    case
        when n % 10 = 3 then 4
        when n % 40 = 7 and n >= 40 then 1
        when n % 100000 between 60 and 99 then 2
        else 0
    end,
    2, 0, 1, 1,
    case when n % 100000 < 100 then inet '203.0.113.7'
        else inet '121.128.0.0' + visitor * 104729 % 4000000 end,
    'KR'
from (
    select n, case when n % 20 = 7 and n >= 40 then n - 40 else n end as visitor,
        (:'day' || ' 00:00+09')::timestamptz + n * (86400.0 / :clicks) * interval '1 second'
            as moment
    from generate_series(0::bigint, :clicks - 1) as n
) as made;

insert into click_stats_dimensions (verdict, device, country, channel, referer_host)
select distinct verdict, 1, 'KR', '', '' from generate_series(0, 4) as verdict;

insert into click_stats_hourly (gonggu_id, hour, clicks, dimension_id)
select click.gonggu_id, date_trunc('hour', click.clicked_at, 'UTC'), sum(click.click_count),
    dimension.id
from click_trackings as click
join click_stats_dimensions as dimension on dimension.verdict = click.verdict
group by 1, 2, 4
order by 1, 2, 4;

vacuum (analyze) click_trackings;
vacuum (analyze) click_stats_hourly;
