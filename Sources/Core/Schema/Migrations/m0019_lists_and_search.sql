-- What lists are cut from, and what search finds things by. A list names its order, and every order
-- has an index that also holds the times which the status follows from, so that a page is cut
-- without looking at a row that is not on it.

-- Replaced below by indexes of what lists show.
drop index gonggus_created_at_idx;
drop index gonggus_close_at_idx;
drop index gonggus_open_at_idx;

create index gonggus_listed_created_at_idx on gonggus (created_at, id)
    include (open_at, close_at) where hidden_at is null and suspended_at is null;
create index gonggus_listed_open_at_idx on gonggus (open_at, id)
    include (close_at) where hidden_at is null and suspended_at is null;
-- The range of what is not closed yet is read from here, whatever it is sorted by then.
create index gonggus_listed_close_at_idx on gonggus (close_at, id)
    include (open_at, created_at, gonggu_price, discount_rate)
    where hidden_at is null and suspended_at is null;
create index gonggus_listed_price_idx on gonggus (gonggu_price, id)
    include (open_at, close_at) where hidden_at is null and suspended_at is null;
create index gonggus_listed_discount_rate_idx on gonggus (discount_rate, id)
    include (open_at, close_at) where hidden_at is null and suspended_at is null;

-- Every gonggu has a total, so that sorting by it is walking an index. Folding costs some tenths
-- more for it.
insert into gonggu_click_totals (gonggu_id, clicks)
select id, 0
from gonggus
on conflict on constraint gonggu_click_totals_pkey do nothing;

-- The gonggu's own, kept equal by the triggers below. Folding knows none of them, and what it adds
-- for a gonggu that is gone is not listed.
alter table gonggu_click_totals
    add column open_at timestamptz,
    add column close_at timestamptz,
    add column is_listed boolean not null default false;

update gonggu_click_totals as total
set open_at = gonggu.open_at, close_at = gonggu.close_at,
    is_listed = gonggu.hidden_at is null and gonggu.suspended_at is null
from gonggus as gonggu
where gonggu.id = total.gonggu_id;

create index gonggu_click_totals_clicks_idx on gonggu_click_totals (clicks, gonggu_id)
    include (open_at, close_at) where is_listed;

-- How many gonggus are neither hidden nor suspended: the sum of these rows, any of which may be
-- below zero. Whoever changes the number holds a row until the end of their transaction, so there
-- are several, and one that is free is taken.
create table gonggu_listed_count (
    slot int not null,
    listed bigint not null,
    constraint gonggu_listed_count_pkey primary key (slot)
);

insert into gonggu_listed_count (slot, listed)
select slot, case when slot = 0 then (
    select count(*)
    from gonggus
    where hidden_at is null and suspended_at is null
) else 0 end
from generate_series(0, 31) as slot;

create function change_listed_count(change bigint) returns void language plpgsql as $$
declare
    free int;
begin
    if change = 0 then
        return;
    end if;
    select slot into free from gonggu_listed_count limit 1 for update skip locked;
    -- With all of them held, one is waited for.
    update gonggu_listed_count
    set listed = listed + change
    where slot = coalesce(free, pg_backend_pid() % 32);
end
$$;

-- A category's list is cut from here: the columns it is sorted and filtered by are the gonggu's
-- own, kept equal by the triggers below.
alter table gonggu_categories
    add column created_at timestamptz,
    add column open_at timestamptz,
    add column close_at timestamptz,
    add column gonggu_price int,
    add column discount_rate numeric(5, 2),
    add column is_listed boolean;

update gonggu_categories as label
set created_at = gonggu.created_at, open_at = gonggu.open_at, close_at = gonggu.close_at,
    gonggu_price = gonggu.gonggu_price, discount_rate = gonggu.discount_rate,
    is_listed = gonggu.hidden_at is null and gonggu.suspended_at is null
from gonggus as gonggu
where gonggu.id = label.gonggu_id;

alter table gonggu_categories
    alter created_at set not null,
    alter open_at set not null,
    alter close_at set not null,
    alter gonggu_price set not null,
    alter discount_rate set not null,
    alter is_listed set not null;

create index gonggu_categories_created_at_idx
    on gonggu_categories (category_id, created_at, gonggu_id)
    include (open_at, close_at) where is_listed;
create index gonggu_categories_open_at_idx on gonggu_categories (category_id, open_at, gonggu_id)
    include (close_at) where is_listed;
create index gonggu_categories_close_at_idx on gonggu_categories (category_id, close_at, gonggu_id)
    include (open_at, created_at, gonggu_price, discount_rate) where is_listed;
create index gonggu_categories_price_idx
    on gonggu_categories (category_id, gonggu_price, gonggu_id)
    include (open_at, close_at) where is_listed;
create index gonggu_categories_discount_rate_idx
    on gonggu_categories (category_id, discount_rate, gonggu_id)
    include (open_at, close_at) where is_listed;

create function fill_gonggu_category() returns trigger language plpgsql as $$
begin
    -- The lock keeps a change of the gonggu from passing by unseen.
    select created_at, open_at, close_at, gonggu_price, discount_rate,
        hidden_at is null and suspended_at is null
    into new.created_at, new.open_at, new.close_at, new.gonggu_price, new.discount_rate,
        new.is_listed
    from gonggus
    where id = new.gonggu_id
    for share;
    if not found then
        raise foreign_key_violation using
            message = 'the gonggu of a category does not exist',
            constraint = 'gonggu_categories_gonggu_id_fkey';
    end if;
    return new;
end
$$;

create trigger gonggu_categories_fill before insert on gonggu_categories
    for each row execute function fill_gonggu_category();

-- What can be found, and by what. Titles and bodies are folded: NFKC, lower case, runs of letters
-- and digits with one blank between them. So no character of theirs means anything to LIKE.
create table search_entries (
    id uuid not null,
    created_at timestamptz not null,
    -- 1 a gonggu, 2 an influencer.
    kind smallint not null,
    title text not null,
    body text not null,
    -- Each two neighbouring characters of a run; ^x where a run of the title begins with x; #kind.
    grams text[] not null,
    constraint search_entries_pkey primary key (kind, id),
    constraint search_entries_kind_known check (kind in (1, 2))
);

-- New entries wait in a list that every search reads: a short one.
create index search_entries_grams_idx on search_entries using gin (grams)
    with (gin_pending_list_limit = 512);
-- For words that too much is found by: the newest first, without a look at the rows.
create index search_entries_newest_idx on search_entries (kind, created_at, id) include (title);

-- Changes that no entry shows yet, one row each: two changes at once must not share a row, or the
-- first to be indexed would take the other's along.
create table search_pending (
    number bigint generated always as identity,
    id uuid not null,
    kind smallint not null,
    constraint search_pending_pkey primary key (number),
    constraint search_pending_kind_known check (kind in (1, 2))
);

create index search_pending_id_idx on search_pending (id);

insert into search_pending (kind, id)
select 1, id
from gonggus
where hidden_at is null and suspended_at is null;

insert into search_pending (kind, id)
select 2, user_id
from influencer_profiles;

create function note_gonggus_added() returns trigger language plpgsql as $$
begin
    insert into gonggu_click_totals (gonggu_id, clicks, open_at, close_at, is_listed)
    select id, 0, open_at, close_at, hidden_at is null and suspended_at is null
    from added
    on conflict on constraint gonggu_click_totals_pkey do update
    set open_at = excluded.open_at, close_at = excluded.close_at, is_listed = excluded.is_listed;
    perform change_listed_count(
        (select count(*) from added where hidden_at is null and suspended_at is null));
    insert into search_pending (kind, id)
    select 1, id
    from added
    where hidden_at is null and suspended_at is null;
    return null;
end
$$;

create trigger gonggus_added after insert on gonggus
    referencing new table as added
    for each statement execute function note_gonggus_added();

create function note_gonggus_removed() returns trigger language plpgsql as $$
begin
    perform change_listed_count(
        -(select count(*) from removed where hidden_at is null and suspended_at is null));
    delete from gonggu_click_totals where gonggu_id in (select id from removed);
    delete from search_entries where kind = 1 and id in (select id from removed);
    return null;
end
$$;

create trigger gonggus_removed after delete on gonggus
    referencing old table as removed
    for each statement execute function note_gonggus_removed();

create function note_gonggus_truncated() returns trigger language plpgsql as $$
begin
    update gonggu_listed_count set listed = 0;
    delete from search_entries where kind = 1;
    return null;
end
$$;

create trigger gonggus_truncated after truncate on gonggus
    for each statement execute function note_gonggus_truncated();

create function note_gonggu_relisted() returns trigger language plpgsql as $$
begin
    if new.hidden_at is null and new.suspended_at is null then
        perform change_listed_count(1);
        insert into search_pending (kind, id) values (1, new.id);
    else
        perform change_listed_count(-1);
        delete from search_entries where kind = 1 and id = new.id;
    end if;
    return null;
end
$$;

create trigger gonggus_relisted after update of hidden_at, suspended_at on gonggus
    for each row when (
        (old.hidden_at is null and old.suspended_at is null)
        <> (new.hidden_at is null and new.suspended_at is null))
    execute function note_gonggu_relisted();

create function note_gonggu_reworded() returns trigger language plpgsql as $$
begin
    insert into search_pending (kind, id) values (1, new.id);
    return null;
end
$$;

create trigger gonggus_reworded after update of title, description on gonggus
    for each row when (
        (old.title, old.description) is distinct from (new.title, new.description)
        and new.hidden_at is null and new.suspended_at is null)
    execute function note_gonggu_reworded();

create function copy_gonggu() returns trigger language plpgsql as $$
begin
    update gonggu_click_totals
    set open_at = new.open_at, close_at = new.close_at,
        is_listed = new.hidden_at is null and new.suspended_at is null
    where gonggu_id = new.id;
    update gonggu_categories
    set created_at = new.created_at, open_at = new.open_at, close_at = new.close_at,
        gonggu_price = new.gonggu_price, discount_rate = new.discount_rate,
        is_listed = new.hidden_at is null and new.suspended_at is null
    where gonggu_id = new.id;
    return null;
end
$$;

create trigger gonggus_copies_follow after update of
    created_at, open_at, close_at, gonggu_price, original_price, hidden_at, suspended_at on gonggus
    for each row when (
        (old.created_at, old.open_at, old.close_at, old.gonggu_price, old.discount_rate,
            old.hidden_at is null and old.suspended_at is null)
        is distinct from
        (new.created_at, new.open_at, new.close_at, new.gonggu_price, new.discount_rate,
            new.hidden_at is null and new.suspended_at is null))
    execute function copy_gonggu();

-- Who is suspended, or no influencer any more, is not found from that moment on.
create function note_influencer_changed() returns trigger language plpgsql as $$
begin
    if new.role = 'influencer' and new.status = 'active' then
        insert into search_pending (kind, id) values (2, new.id);
    else
        delete from search_entries where kind = 2 and id = new.id;
    end if;
    return null;
end
$$;

create trigger users_search after update of nickname, role, status on users
    for each row when (
        'influencer' in (old.role, new.role)
        and (old.nickname, old.role, old.status)
            is distinct from (new.nickname, new.role, new.status))
    execute function note_influencer_changed();

create function note_profile_written() returns trigger language plpgsql as $$
begin
    insert into search_pending (kind, id) values (2, new.user_id);
    return null;
end
$$;

create trigger influencer_profiles_added after insert on influencer_profiles
    for each row execute function note_profile_written();

create trigger influencer_profiles_reworded after update of bio on influencer_profiles
    for each row when (old.bio is distinct from new.bio)
    execute function note_profile_written();

create function note_profile_removed() returns trigger language plpgsql as $$
begin
    delete from search_entries where kind = 2 and id = old.user_id;
    return null;
end
$$;

create trigger influencer_profiles_removed after delete on influencer_profiles
    for each row execute function note_profile_removed();
