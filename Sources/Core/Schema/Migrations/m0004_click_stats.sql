-- Click counts. Each batch of clicks brings its own sums as deltas, copied in with it; a folding
-- step moves them into the hourly table every few seconds. (An upsert per batch was measured at
-- three times the cost of the whole copy.) Readers use the views over both, so at any moment every
-- committed click is counted exactly once, folded or not.

-- No key and no index: it is only appended to and swept.
create table click_stats_deltas (
    gonggu_id uuid not null,
    -- The start of the hour; Korean hours begin with UTC's.
    hour timestamptz not null,
    clicks bigint not null,
    verdict smallint not null,
    device smallint not null default 0,
    country char(2) not null default 'ZZ',
    channel text not null default '',
    -- Empty for none.
    referer_host text not null default ''
)
-- Each row lives for seconds, so dead rows are what there is most of.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create table click_stats_hourly (
    gonggu_id uuid not null,
    hour timestamptz not null,
    clicks bigint not null,
    verdict smallint not null,
    device smallint not null,
    country char(2) not null,
    channel text not null,
    referer_host text not null,
    constraint click_stats_hourly_pkey
        primary key (gonggu_id, hour, verdict, country, device, channel, referer_host)
)
with (fillfactor = 85);

-- Several rows a key are possible: sum them.
create view click_stats as
select gonggu_id, hour, verdict, country, device, channel, referer_host, clicks
from click_stats_hourly
union all
select gonggu_id, hour, verdict, country, device, channel, referer_host, clicks
from click_stats_deltas;

-- Billable clicks of each gonggu, to the latest commit.
create view gonggu_click_counts as
select
    gonggu.id as gonggu_id,
    (gonggu.click_count + coalesce(unfolded.clicks, 0))::bigint as click_count
from gonggus as gonggu
left join (
    select gonggu_id, sum(clicks) as clicks
    from click_stats_deltas
    where verdict = 0
    group by gonggu_id
) as unfolded on unfolded.gonggu_id = gonggu.id;

-- Folds at most rows_max deltas; how many it folded, so fewer than rows_max means that was all.
-- 0 also while another session folds: its work is the same.
create function fold_click_stats(rows_max int default 200000) returns int language plpgsql as $$
declare
    folded int;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('fold_click_stats', 0)) then
        return 0;
    end if;
    -- One statement, so one snapshot: exactly the deltas that it deletes are what it adds. A delta
    -- that is committed meanwhile is not in the snapshot, so it is neither deleted nor added.
    with taken as (
        delete from click_stats_deltas
        where ctid = any (array(select ctid from click_stats_deltas limit rows_max))
        returning gonggu_id, hour, verdict, country, device, channel, referer_host, clicks
    ),
    added as (
        insert into click_stats_hourly
            (gonggu_id, hour, verdict, country, device, channel, referer_host, clicks)
        select gonggu_id, hour, verdict, country, device, channel, referer_host, sum(clicks)
        from taken
        group by gonggu_id, hour, verdict, country, device, channel, referer_host
        on conflict on constraint click_stats_hourly_pkey
            do update set clicks = click_stats_hourly.clicks + excluded.clicks
    ),
    counted as (
        update gonggus
        set click_count = gonggus.click_count + billable.clicks
        from (
            select gonggu_id, sum(clicks) as clicks
            from taken
            where verdict = 0
            group by gonggu_id
        ) as billable
        where gonggus.id = billable.gonggu_id
    )
    select count(*) into folded from taken;
    return folded;
end
$$;
