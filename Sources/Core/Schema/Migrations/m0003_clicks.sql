-- The ledger of clicks. Rows are copied in by Ingest, once, and never updated.
--
-- No foreign keys: a click outlives the gonggu and the user it names, and a check per row would
-- cost more than the copy.

-- User agents and referers repeat, so they are stored once, and are found by a hash of fixed size:
-- the texts are too long for an index. The server makes it, so that no two writers can disagree.
-- convert_to is not immutable since it depends on the encoding, which in this database is UTF-8.
create function dictionary_hash(entry text) returns bytea
language sql immutable strict parallel safe as $$
    select substring(sha256(convert_to(entry, 'UTF8')) for 16)
$$;

create table user_agents (
    id int not null generated always as identity,
    agent_hash bytea not null
        generated always as (dictionary_hash(agent)) stored,
    agent text not null,
    constraint user_agents_pkey primary key (id),
    constraint user_agents_agent_hash_key unique (agent_hash)
);

create table referers (
    id int not null generated always as identity,
    referer_hash bytea not null
        generated always as (dictionary_hash(referer)) stored,
    referer text not null,
    -- Lower case, without port; empty where the referer is not a URL.
    host text not null default '',
    constraint referers_pkey primary key (id),
    constraint referers_referer_hash_key unique (referer_hash)
);

-- Columns in order of alignment: no padding between them.
create table click_trackings (
    clicked_at timestamptz not null,
    -- 64 bits of a keyed hash, as a signed number.
    visitor_key bigint not null,
    id uuid not null,
    gonggu_id uuid not null,
    -- Null when nobody was signed in.
    user_id uuid,
    user_agent_id int,
    referer_id int,
    -- Requests that this row stands for: more than 1 where a flood was folded at the edge.
    click_count int not null default 1,
    verdict smallint not null,
    rule_set smallint not null,
    -- The rule within the rule set; 0 where the verdict says it all.
    reason smallint not null default 0,
    device smallint not null default 0,
    -- 0 a followed link, 1 a script's report.
    path smallint not null,
    -- Null once it was erased.
    ip_address inet,
    -- ISO 3166; ZZ is unknown.
    country char(2) not null default 'ZZ',
    channel text not null default '',
    constraint click_trackings_click_count_range check (click_count > 0),
    -- The time comes first, since the partition key must be part, and since new rows then land at
    -- the right edge of the index. It is what makes a second copy of a click impossible.
    constraint click_trackings_pkey primary key (clicked_at, id)
) partition by range (clicked_at);

-- Makes the partition of a Korean day, click_trackings_20261121, unless it is there; whether it was
-- made. Call it in a transaction of its own.
--
-- Attaching takes a lock on the parent that lets copies go on; CREATE TABLE … PARTITION OF would
-- wait for them all and deadlock with another Ingest that does the same.
create function ensure_click_partition(day date) returns boolean language plpgsql as $$
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
    -- Korea has no daylight saving time: a day is 24 hours from 00:00+09.
    execute format(
        'alter table click_trackings attach partition %I for values from (%L) to (%L)',
        partition_name, day || ' 00:00+09', day + 1 || ' 00:00+09');
    return true;
end
$$;

-- Single clicks as people know them, the dictionaries looked up.
create view clicks as
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
    click.visitor_key
from click_trackings as click
left join user_agents as agent on agent.id = click.user_agent_id
left join referers as referer on referer.id = click.referer_id;

-- How far each segment of each edge's spool is in the ledger. Written in the transaction that
-- copies the clicks, which is what makes "exactly once" true.
create table spool_offsets (
    edge_id text not null,
    segment text not null,
    committed_bytes bigint not null,
    records bigint not null default 0,
    updated_at timestamptz not null default now(),
    constraint spool_offsets_pkey primary key (edge_id, segment),
    constraint spool_offsets_committed_bytes_range check (committed_bytes >= 0),
    constraint spool_offsets_records_range check (records >= 0)
);

create trigger spool_offsets_touch before update on spool_offsets
    for each row execute function touch_updated_at();
