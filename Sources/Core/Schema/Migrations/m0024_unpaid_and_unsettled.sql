-- What is paid, and what waits to be: a banner's clicks are nobody's money, a day with clicks that
-- are still to be settled stays, and who is leaving is not found.

-- Every banner that ever was, since its clicks are stored for longer than it is shown.
create table banner_ids (
    id uuid not null,
    constraint banner_ids_pkey primary key (id)
);

insert into banner_ids (id) select id from banners;

create function keep_banner_id() returns trigger language plpgsql as $$
begin
    insert into banner_ids (id) values (new.id) on conflict do nothing;
    return null;
end
$$;

create trigger banners_keep_id after insert or update of id on banners
    for each row execute function keep_banner_id();

-- Ids whose clicks are counted as any other and paid to nobody. A banner that was given a gonggu's
-- id by hand takes nothing from the gonggu, as in the view `links`.
create view unpaid_links as
select id
from banner_ids
where not exists (select from gonggus where gonggus.id = banner_ids.id);

-- As before, but for clicks that are paid to nobody.
create or replace function note_late_click() returns trigger language plpgsql as $$
begin
    if to_regclass('pg_temp.click_restoring') is null
        and not exists (select from unpaid_links where unpaid_links.id = new.gonggu_id)
    then
        insert into late_clicks (clicked_at, id) values (new.clicked_at, new.id);
    end if;
    return null;
end
$$;

create or replace function note_revised_clicks() returns trigger language plpgsql as $$
begin
    insert into revised_clicks (clicked_at, id, sealed_verdict)
    select distinct on (change.clicked_at, change.click_id)
        change.clicked_at, change.click_id, change.from_verdict
    from fresh as change
    join click_day_seals as seal on seal.day = korean_day(change.clicked_at)
    where change.gonggu_id not in (select id from unpaid_links)
    order by change.clicked_at, change.click_id, change.seq
    on conflict on constraint revised_clicks_pkey do update set drafted_month = null;
    return null;
end
$$;

-- Undrafted ones by day, and those of a draft.
drop index late_clicks_drafted_month_idx;
create index late_clicks_drafted_month_idx on late_clicks (drafted_month, clicked_at);
drop index revised_clicks_drafted_month_idx;
create index revised_clicks_drafted_month_idx on revised_clicks (drafted_month, clicked_at);

-- A day may leave the ledger when a closed month has paid for its seal, and nothing that came or
-- was judged since waits for a draft or stands in one that may be made anew: drafts look at the
-- clicks themselves. Where no rate is set nothing is paid, so nothing is waited for.
create or replace function click_month_is_settled(day date) returns boolean
language sql stable as $$
    with period as (
        select day::timestamp at time zone '+09:00'::interval as starts,
            (day + 1)::timestamp at time zone '+09:00'::interval as ends
    )
    select not exists (select from cpc_rates)
    or exists (
        select from click_day_seals as seal
        where seal.day = click_month_is_settled.day and seal.settled_month is not null
    )
    and not exists (
        select from late_clicks as late, period
        where late.drafted_month is null
            and late.clicked_at >= starts and late.clicked_at < ends
    )
    and not exists (
        select from revised_clicks as revised, period
        where revised.drafted_month is null
            and revised.clicked_at >= starts and revised.clicked_at < ends
    )
    and not exists (
        select from period, settlement_months as draft
        join late_clicks as late on late.drafted_month = draft.month
        where draft.status = 'draft' and late.clicked_at >= starts and late.clicked_at < ends
    )
    and not exists (
        select from period, settlement_months as draft
        join revised_clicks as revised on revised.drafted_month = draft.month
        where draft.status = 'draft' and revised.clicked_at >= starts and revised.clicked_at < ends
    )
$$;

-- As before, and who has asked to be erased is not found from that moment on.
create or replace function note_influencer_changed() returns trigger language plpgsql as $$
begin
    if new.role = 'influencer' and new.status = 'active' and new.erase_requested_at is null then
        insert into search_pending (kind, id) values (2, new.id);
    else
        delete from search_entries where kind = 2 and id = new.id;
    end if;
    return null;
end
$$;

drop trigger users_search on users;

create trigger users_search after update of nickname, role, status, erase_requested_at on users
    for each row when (
        'influencer' in (old.role, new.role)
        and (old.nickname, old.role, old.status, old.erase_requested_at is null)
            is distinct from
            (new.nickname, new.role, new.status, new.erase_requested_at is null))
    execute function note_influencer_changed();

-- Those who left before this version.
delete from search_entries
where kind = 2 and id in (select id from users where erase_requested_at is not null);
