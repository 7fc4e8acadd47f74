-- What becomes of a day's clicks when it is over: `Ingest maintain` gives the day its second index,
-- erases addresses and agents when they are old enough, and later detaches the partition and keeps
-- it as a file. Each step is remembered here, so that it is done once.

-- A day that maintain has had to do with; one that has no row has had nothing done to it.
create table click_days (
    -- Korean, as partitions are.
    day date not null,
    -- Indexes are as they stay.
    finished_at timestamptz,
    -- Neither addresses nor agents are left; what arrives later loses them on arrival.
    erased_at timestamptz,
    -- Restored: not detached before this day.
    keep_until date,
    constraint click_days_pkey primary key (day)
);

-- What was detached. A day has several parts where clicks came after it was detached, or where it
-- was restored and detached again.
create table click_archives (
    rows bigint,
    -- Of the text that is in the file, before compression.
    content_bytes bigint,
    file_bytes bigint,
    detached_at timestamptz not null default now(),
    made_at timestamptz,
    archived_at timestamptz,
    day date not null,
    part smallint not null,
    -- detached: a table click_detached_<day>_<part> is all there is. written: a file is there as
    -- well, not verified. archived: the file alone. restored: its clicks are partitioned again.
    -- superseded: they are in a later part.
    state text not null default 'detached',
    content_sha256 bytea,
    file_sha256 bytea,
    -- A path or an s3:// URL.
    location text,
    constraint click_archives_pkey primary key (day, part),
    constraint click_archives_part_range check (part > 0),
    constraint click_archives_state_known
        check (state in ('detached', 'written', 'archived', 'restored', 'superseded')),
    constraint click_archives_file_known check (
        state = 'detached'
        or (rows is not null and content_bytes is not null and file_bytes is not null
            and made_at is not null and content_sha256 is not null and file_sha256 is not null
            and location is not null))
);

-- The last Korean day on which a click with this agent may have arrived, or the day after. Ingest
-- writes it when it looks an agent up, which it does at least once a day; old ones are deleted.
alter table user_agents
    add column seen_on date not null default (now() at time zone 'Asia/Seoul')::date;

create index click_flags_raw_ip_idx on click_flags (day) where ip_address is not null;

-- Whether the month of a day is settled, so that the day may leave the ledger. There are no
-- settlements yet, so nothing waits for one; the migration that brings them replaces this function.
create function click_month_is_settled(day date) returns boolean
language sql stable as $$
    select true
$$;

-- A late click of an erased day is kept as the day's others are.
create function erase_click_on_arrival() returns trigger language plpgsql as $$
begin
    new.ip_address := null;
    new.user_agent_id := null;
    return new;
end
$$;

create function click_table_name(kind text, day date) returns text
language sql stable strict as $$
    select 'click_' || kind || '_' || to_char(day, 'YYYYMMDD')
$$;

-- Asked of the catalog and not by to_regclass, which remembers a "no" until a lock makes it look
-- again.
create function click_table_exists(table_name text) returns boolean
language plpgsql volatile strict as $$
begin
    return exists (
        select from pg_class
        where relname = table_name
            and relnamespace = (
                select relnamespace from pg_class where oid = 'click_trackings'::regclass));
end
$$;

-- Takes the partition's name from a table that is detached, so that the day can have a partition
-- again, and writes down that there is something to archive. The part's number.
create function set_aside_detached_clicks(of_day date) returns smallint language plpgsql as $$
declare
    old_name text := click_table_name('trackings', of_day);
    new_name text;
    new_part smallint;
    index_name text;
    index_number int := 0;
begin
    select coalesce(max(part), 0) + 1 into new_part from click_archives where day = of_day;
    new_name := click_table_name('detached', of_day) || '_' || new_part;
    -- Indexes have names of their own, which the next partition wants.
    for index_name in
        select index.relname
        from pg_index
        join pg_class as index on index.oid = pg_index.indexrelid
        where pg_index.indrelid = old_name::regclass
        order by index.relname
    loop
        index_number := index_number + 1;
        execute format(
            'alter index %I rename to %I', index_name, new_name || '_idx' || index_number);
    end loop;
    execute format('alter table %I rename to %I', old_name, new_name);
    insert into click_archives (day, part) values (of_day, new_part);
    update click_days set finished_at = null, keep_until = null where day = of_day;
    return new_part;
end
$$;

-- Ends a detaching that was cut off, and sets aside what is detached, if there is any.
create function settle_click_detachment(of_day date) returns smallint language plpgsql as $$
declare
    partition_name text := click_table_name('trackings', of_day);
    is_pending boolean;
begin
    if not click_table_exists(partition_name) then
        return null;
    end if;
    select inhdetachpending into is_pending
    from pg_inherits
    where inhparent = 'click_trackings'::regclass
        and inhrelid = partition_name::regclass;
    if not found then
        return set_aside_detached_clicks(of_day);
    end if;
    if is_pending then
        execute format(
            'alter table click_trackings detach partition %I finalize', partition_name);
        return set_aside_detached_clicks(of_day);
    end if;
    return null;
end
$$;

-- As before; and a click that comes for a day that was detached gets a partition again, which will
-- be a part of its own in the archive. A partition that is just being detached takes no clicks and
-- cannot be replaced yet: 55006, in a moment it can.
create or replace function ensure_click_partition(day date) returns boolean language plpgsql as $$
declare
    partition_name text := click_table_name('trackings', day);
begin
    if exists (
        select from pg_inherits
        where inhparent = 'click_trackings'::regclass
            and inhrelid = to_regclass(partition_name)
            and not inhdetachpending
    ) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0));
    if click_table_exists(partition_name) then
        -- Another may have made it while we waited for the lock.
        if exists (
            select from pg_inherits
            where inhparent = 'click_trackings'::regclass
                and inhrelid = partition_name::regclass
                and not inhdetachpending
        ) then
            return false;
        end if;
        if exists (
            select from pg_inherits
            where inhparent = 'click_trackings'::regclass
                and inhrelid = partition_name::regclass
        ) and not pg_try_advisory_xact_lock(hashtextextended('ingest_maintain', 0)) then
            raise exception 'the clicks of % are just being detached', day
                using errcode = 'object_in_use', hint = 'try again in a moment';
        end if;
        perform settle_click_detachment(day);
    end if;
    execute format('create table %I (like click_trackings including all)', partition_name);
    execute format('alter index %I set (fillfactor = 100)', partition_name || '_pkey');
    if exists (
        select from click_days where click_days.day = ensure_click_partition.day
            and erased_at is not null
    ) then
        execute format(
            'create trigger click_erased before insert on %I '
            'for each row execute function erase_click_on_arrival()', partition_name);
    end if;
    -- Korea has no daylight saving time: a day is 24 hours from 00:00+09.
    execute format(
        'alter table click_trackings attach partition %I for values from (%L) to (%L)',
        partition_name, day || ' 00:00+09', day + 1 || ' 00:00+09');
    return true;
end
$$;

-- Erasing is writing the day anew without addresses and agents, and changing the tables over: an
-- update in place would leave the partition twice as large for ever. First the long part, which
-- holds up nobody: the copy, with its indexes. In one transaction, so a death leaves nothing.
create function copy_click_day_erased(of_day date) returns bigint
language plpgsql set jit = off as $$
declare
    old_name text := click_table_name('trackings', of_day);
    new_name text := click_table_name('erasing', of_day);
    copied bigint;
begin
    execute format('drop table if exists %I', new_name);
    execute format(
        'create table %I (like click_trackings including all excluding indexes)', new_name);
    execute format(
        'insert into %I ('
        'clicked_at, visitor_key, id, gonggu_id, user_id, referer_id, click_count, verdict, '
        'rule_set, reason, device, path, country, channel) '
        'select clicked_at, visitor_key, id, gonggu_id, user_id, referer_id, click_count, verdict, '
        'rule_set, reason, device, path, country, channel '
        'from %I order by clicked_at, id', new_name, old_name);
    get diagnostics copied = row_count;
    execute format(
        'alter table %I add constraint %I primary key (clicked_at, id) with (fillfactor = 100)',
        new_name, new_name || '_pkey');
    execute format(
        'create index %I on %I (gonggu_id, clicked_at) with (fillfactor = 100)',
        new_name || '_gonggu_idx', new_name);
    execute format(
        'create trigger click_erased before insert on %I '
        'for each row execute function erase_click_on_arrival()', new_name);
    -- Saves ATTACH its look at each row, under a lock that everybody waits for.
    execute format(
        'alter table %I add constraint click_erasing_day '
        'check (clicked_at is not null and clicked_at >= %L and clicked_at < %L)',
        new_name, of_day || ' 00:00+09', of_day + 1 || ' 00:00+09');
    return copied;
end
$$;

-- Then the change: milliseconds, unless clicks of that day came meanwhile. The number of those.
--
-- Copies into the ledger wait while it has the parent's lock, and it waits for those under way; not
-- longer than lock_timeout (55P03), since all that comes after it waits too. That is less than
-- deadlock_timeout, so where a late click waits for us and we for it, we are the ones to go.
create function swap_click_day_erased(of_day date) returns bigint
language plpgsql set lock_timeout = '800ms' set jit = off as $$
declare
    old_name text := click_table_name('trackings', of_day);
    new_name text := click_table_name('erasing', of_day);
    old_rows bigint;
    new_rows bigint;
    late_rows bigint := 0;
begin
    -- Late clicks of this day wait from here on, everything else goes on.
    execute format('lock table %I in share row exclusive mode', old_name);
    execute format('select count(*) from %I', old_name) into old_rows;
    execute format('select count(*) from %I', new_name) into new_rows;
    if old_rows <> new_rows then
        execute format(
            'insert into %I select old.* from %I as old '
            'where not exists (select from %I as new '
            'where new.clicked_at = old.clicked_at and new.id = old.id)',
            new_name, old_name, new_name);
        get diagnostics late_rows = row_count;
        if new_rows + late_rows <> old_rows then
            raise exception 'the copy of % has % rows of %', of_day, new_rows + late_rows, old_rows;
        end if;
    end if;
    lock table click_trackings in access exclusive mode;
    execute format('alter table click_trackings detach partition %I', old_name);
    execute format('drop table %I', old_name);
    execute format('alter table %I rename to %I', new_name, old_name);
    execute format('alter index %I rename to %I', new_name || '_pkey', old_name || '_pkey');
    execute format(
        'alter index %I rename to %I', new_name || '_gonggu_idx', old_name || '_gonggu_idx');
    execute format(
        'alter table click_trackings attach partition %I for values from (%L) to (%L)',
        old_name, of_day || ' 00:00+09', of_day + 1 || ' 00:00+09');
    execute format('alter table %I drop constraint click_erasing_day', old_name);
    insert into click_days (day, erased_at, finished_at) values (of_day, now(), now())
    on conflict on constraint click_days_pkey
        do update set erased_at = now(), finished_at = now();
    return late_rows;
end
$$;
