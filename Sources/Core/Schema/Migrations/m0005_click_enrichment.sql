-- What is known of a click besides what its request said, and floods for people to look at.

-- Told from the agent when it is first stored; the rules are the code's, see AgentTraits.
alter table user_agents
    -- 0 unknown, 1 phone, 2 tablet, 3 desktop, 4 television or console.
    add column device smallint not null default 0,
    -- Families, in lower case; empty where unknown, or where no app has opened its own view.
    add column os text not null default '',
    add column browser text not null default '',
    add column in_app text not null default '';

create or replace view clicks as
select
    click.id,
    click.gonggu_id,
    click.user_id,
    click.ip_address,
    agent.agent as user_agent,
    referer.referer,
    click.clicked_at,
    click.click_count,
    click.verdict,
    click.rule_set,
    click.reason,
    click.path,
    click.country,
    click.device,
    click.channel,
    referer.host as referer_host,
    click.visitor_key,
    coalesce(agent.os, '') as os,
    coalesce(agent.browser, '') as browser,
    coalesce(agent.in_app, '') as in_app
from click_trackings as click
left join user_agents as agent on agent.id = click.user_agent_id
left join referers as referer on referer.id = click.referer_id;

-- One address's flood on one gonggu within a Korean day. Its clicks are held until a person has
-- decided; Ingest opens it with the clicks, in their transaction, and adds what follows.
create table click_flags (
    opened_at timestamptz not null default now(),
    first_clicked_at timestamptz not null,
    last_clicked_at timestamptz not null,
    decided_at timestamptz,
    -- Requests, those of folded records among them.
    clicks bigint not null,
    id uuid not null default gen_random_uuid(),
    gonggu_id uuid not null,
    decided_by uuid,
    day date not null,
    -- Null once it was erased.
    ip_address inet,
    -- More clicks open a decided one again.
    status text not null default 'open',
    reason text not null default '',
    constraint click_flags_pkey primary key (id),
    constraint click_flags_flood_key unique (day, gonggu_id, ip_address),
    constraint click_flags_status_known check (status in ('open', 'released', 'confirmed')),
    constraint click_flags_clicks_range check (clicks > 0),
    constraint click_flags_reason_length check (char_length(reason) <= 1000)
);

create index click_flags_open_idx on click_flags (last_clicked_at desc) where status = 'open';
create index click_flags_gonggu_id_idx on click_flags (gonggu_id, day);

-- As before, but new partitions fill the pages of their key: nothing is ever inserted between old
-- clicks, so the tenth that PostgreSQL leaves free would stay free (36 instead of 40 bytes a
-- click). The parent's key cannot be told so.
create or replace function ensure_click_partition(day date) returns boolean language plpgsql as $$
declare
    partition_name text := 'click_trackings_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(partition_name) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0));
    -- Another may have made it while we waited for the lock. Asked of the table, since to_regclass
    -- remembers its "no" from above and an advisory lock does not make it look again.
    if exists (
        select from pg_class
        where relname = partition_name
            and relnamespace = (
                select relnamespace from pg_class where oid = 'click_trackings'::regclass)
    ) then
        return false;
    end if;
    execute format('create table %I (like click_trackings including all)', partition_name);
    execute format('alter index %I set (fillfactor = 100)', partition_name || '_pkey');
    -- Korea has no daylight saving time: a day is 24 hours from 00:00+09.
    execute format(
        'alter table click_trackings attach partition %I for values from (%L) to (%L)',
        partition_name, day || ' 00:00+09', day + 1 || ' 00:00+09');
    return true;
end
$$;

-- As before, but in the order of the key, so that neighbours in the index are written one after the
-- other (half the time for 700,000 new lines); and without compiling the statement each time.
create or replace function fold_click_stats(rows_max int default 200000) returns int
language plpgsql set jit = off as $$
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
        order by gonggu_id, hour, verdict, country, device, channel, referer_host
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
