-- A month of clicks as Ingest and adjudication leave them: rows in the order of time, statistics,
-- a finished run over each day, and a hundredth of a percent of verdicts that the run changed.
-- Variables: clicks, gonggus, influencers, month (its first day).
\set ON_ERROR_STOP on
set synchronous_commit = off;
set jit = off;

insert into users (id, email, nickname, role)
select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'money-' || n || '@example.com', 'money-' || n,
    case when n <= 3 then 'finance' else 'influencer' end
from generate_series(1, :influencers + 3) as n;

insert into gonggus
    (id, influencer_id, open_at, close_at, original_price, gonggu_price, title, external_url)
select ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('00000000-0000-4000-8000-' || lpad(to_hex(n % :influencers + 4), 12, '0'))::uuid,
    '2020-01-01', '2040-01-01', 2, 1, '공구 ' || n, 'https://shop.example/' || n
from generate_series(0, :gonggus - 1) as n;

-- A default, one for each tenth influencer from the middle of the month on, one for each twentieth
-- gonggu from the first day.
insert into cpc_rates (rate_won, effective_from) values (200, '2020-01-01');
insert into cpc_rates (influencer_id, rate_won, effective_from)
select id, 250, (:'month'::date + 14)
from users where role = 'influencer' and right(id::text, 1) = '0';
insert into cpc_rates (gonggu_id, rate_won, effective_from)
select id, 300, :'month'::date from gonggus where right(id::text, 1) = '7';

select count(ensure_click_partition(day::date)) as days
from generate_series(:'month'::date, :'month'::date + interval '1 month - 1 day', '1 day') as day;

-- The gonggu of a click is skewed: half of the clicks are of a tenth of the gonggus.
insert into click_trackings
    (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path, click_count, device, country)
select moment, n * 7919,
    (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
    ('00000000-0000-4000-9000-' || lpad(to_hex(
        case when n % 2 = 0 then n * 7919 % (:gonggus / 10 + 1) else n * 104729 % :gonggus end
    ), 12, '0'))::uuid,
    case when n % 10 < 8 then 0 when n % 10 = 8 then 1 else 3 end, 2, 0, 1, 1, 'KR'
from (
    select n, :'month'::timestamp at time zone '+09:00'::interval
        + n * (extract(epoch from (:'month'::date + interval '1 month') - :'month'::date)
            / :clicks) * interval '1 second' as moment
    from generate_series(0::bigint, :clicks - 1) as n
) as made;

insert into click_stats_dimensions (verdict, device, country, channel, referer_host)
select distinct verdict, 1, 'KR', '', '' from generate_series(0, 3) as verdict;

insert into click_stats_hourly (gonggu_id, hour, clicks, dimension_id)
select click.gonggu_id, date_trunc('hour', click.clicked_at, 'UTC'), sum(click.click_count),
    dimension.id
from click_trackings as click
join click_stats_dimensions as dimension on dimension.verdict = click.verdict
group by 1, 2, 4
order by 1, 2, 4;

insert into adjudication_runs (from_at, to_at, rule_set, state, started_at, finished_at)
values (:'month'::timestamp at time zone '+09:00'::interval,
    (:'month'::date + interval '1 month') at time zone '+09:00'::interval, 2, 'finished',
    now(), now());
insert into adjudication_days (run_id, day, rows_read, clicks_read)
select run.id, korean_day(clicked_at), count(*), sum(click_count)
from click_trackings, adjudication_runs as run
group by 1, 2;

vacuum (analyze) click_trackings;
vacuum (analyze) click_stats_hourly;

-- Day by day, as a run would: one statement for all of a month looks for each gonggu in each hour.
do $$
declare
    midnight timestamptz;
begin
    for midnight in
        select generate_series(from_at, to_at - interval '1 day', interval '1 day')
        from adjudication_runs
    loop
        insert into click_adjudications (clicked_at, click_id, gonggu_id, run_id, from_verdict,
            to_verdict, rule_set, reason)
        select clicked_at, click.id, gonggu_id, run.id, verdict, 1, 2, 'two edges'
        from click_trackings as click, adjudication_runs as run
        where verdict = 0 and click.visitor_key % 9973 = 0
            and clicked_at >= midnight and clicked_at < midnight + interval '1 day';
    end loop;
end
$$;
analyze final_verdicts;
analyze click_adjudications;
