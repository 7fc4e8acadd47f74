-- What the edge is asked for: gonggus and banners. A change names the links it touched, so that who
-- publishes them reads those alone.

-- Pictures with a link, the platform's own. A click on one is stored with the banner's id where
-- others have their gonggu's; it has no influencer and no rate, so nothing is ever paid for it.
create table banners (
    id uuid not null default gen_random_uuid(),
    -- What it advertises, if that is one of ours.
    gonggu_id uuid,
    starts_at timestamptz not null default now(),
    -- Null until somebody takes it off.
    ends_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Within its slot.
    sort_order int not null default 0,
    is_active boolean not null default true,
    -- Where on our pages it is shown, such as `home`.
    slot text not null,
    title text not null,
    image_url text not null,
    target_url text not null,
    constraint banners_pkey primary key (id),
    constraint banners_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete set null,
    constraint banners_starts_before_ends check (ends_at > starts_at),
    constraint banners_slot_form check (slot ~ '^[a-z0-9_-]{1,50}$'),
    constraint banners_title_length check (char_length(title) between 1 and 200),
    constraint banners_image_url_length check (char_length(image_url) between 1 and 500),
    constraint banners_target_url_form
        check (target_url ~ '^https?://[^\s]+$' and char_length(target_url) <= 1000)
);

create index banners_slot_idx on banners (slot, sort_order, starts_at);
create index banners_gonggu_id_idx on banners (gonggu_id) where gonggu_id is not null;

create trigger banners_touch before update on banners
    for each row execute function touch_updated_at();

-- A time as the links file can hold it, infinite ones included.
create function link_time(moment timestamptz) returns timestamptz
language sql immutable parallel safe as $$
    select least(
        greatest(moment, timestamptz '1970-01-01 00:00+00'), timestamptz '9999-12-31 00:00+00')
$$;

-- All that can stand behind `/go/`. A deleted gonggu keeps its link as if suspended: who follows it
-- lands on a page, not in a void, and the click is written down.
create view links as
select
    id,
    influencer_id,
    short_code,
    link_time(open_at) as opens_at,
    link_time(close_at) as closes_at,
    suspended_at is not null or hidden_at is not null as is_suspended,
    false as is_banner,
    external_url as target_url
from gonggus
union all
select
    id,
    null as influencer_id,
    '' as short_code,
    link_time(starts_at) as opens_at,
    link_time(coalesce(ends_at, 'infinity')) as closes_at,
    not is_active as is_suspended,
    true as is_banner,
    target_url
from banners
-- Ids are random; who gives a banner a gonggu's by hand has not made the gonggu's link his.
where not exists (select from gonggus where gonggus.id = banners.id);

drop trigger gonggus_links_changed on gonggus;
drop trigger gonggus_links_truncated on gonggus;
drop function notify_links_changed();

-- The payload is a link's id, or empty for "read them all". Notifications arrive in the order of
-- commits and after them, so who reads a link when it is named never reads it too early; a log with
-- numbers taken before the commit would have gaps that fill later.

create function notify_all_links_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('links_changed', '');
    return null;
end
$$;

-- Of a statement that made or removed rows. Above a thousand it costs less to read all.
create function notify_links_changed() returns trigger language plpgsql as $$
begin
    if (select count(*) from (select from changed limit 1001) as few) > 1000 then
        perform pg_notify('links_changed', '');
    else
        perform pg_notify('links_changed', id::text) from changed;
    end if;
    return null;
end
$$;

-- Of a row, since only then can the trigger say which columns count: a new title changes no link.
create function notify_link_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('links_changed', old.id::text);
    if new.id <> old.id then
        perform pg_notify('links_changed', new.id::text);
    end if;
    return null;
end
$$;

create trigger gonggus_links_inserted after insert on gonggus
    referencing new table as changed
    for each statement execute function notify_links_changed();

create trigger gonggus_links_deleted after delete on gonggus
    referencing old table as changed
    for each statement execute function notify_links_changed();

create trigger gonggus_links_updated
    after update of id, influencer_id, short_code, external_url, open_at, close_at, suspended_at,
        hidden_at
    on gonggus
    for each row
    when (
        (old.id, old.influencer_id, old.short_code, old.external_url, old.open_at, old.close_at,
            old.suspended_at is null, old.hidden_at is null)
        is distinct from
        (new.id, new.influencer_id, new.short_code, new.external_url, new.open_at, new.close_at,
            new.suspended_at is null, new.hidden_at is null)
    )
    execute function notify_link_changed();

create trigger gonggus_links_truncated after truncate on gonggus
    for each statement execute function notify_all_links_changed();

create trigger banners_links_inserted after insert on banners
    referencing new table as changed
    for each statement execute function notify_links_changed();

create trigger banners_links_deleted after delete on banners
    referencing old table as changed
    for each statement execute function notify_links_changed();

create trigger banners_links_updated
    after update of id, starts_at, ends_at, is_active, target_url
    on banners
    for each row
    when (
        (old.id, old.starts_at, old.ends_at, old.is_active, old.target_url)
        is distinct from (new.id, new.starts_at, new.ends_at, new.is_active, new.target_url)
    )
    execute function notify_link_changed();

create trigger banners_links_truncated after truncate on banners
    for each statement execute function notify_all_links_changed();
