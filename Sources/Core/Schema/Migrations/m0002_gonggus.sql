-- Gonggus (group-buys) and the categories they are found by.

create table categories (
    id uuid not null default gen_random_uuid(),
    -- Null for a top group.
    parent_id uuid,
    sort_order int not null default 0,
    name text not null,
    icon text,
    constraint categories_pkey primary key (id),
    constraint categories_parent_id_fkey foreign key (parent_id)
        references categories (id) on delete restrict,
    constraint categories_parent_id_name_key unique nulls not distinct (parent_id, name),
    constraint categories_not_own_parent check (parent_id <> id),
    constraint categories_name_length check (char_length(name) between 1 and 50),
    constraint categories_icon_length check (char_length(icon) <= 500)
);

-- Eight characters that nobody misreads: no 0 o 1 i l. 31^8 are 8.5e11, taken from 60 strong random
-- bits, so codes cannot be walked through and a million of them collide with a chance of one in a
-- million per insert; then gonggus_short_code_key refuses and the caller inserts again.
create function make_short_code() returns text language sql volatile as $$
    select string_agg(
        substr(
            '23456789abcdefghjkmnpqrstuvwxyz',
            (random_bits / power(31::numeric, place)::bigint % 31)::int + 1, 1),
        '')
    from
        (select ('x' || right(replace(gen_random_uuid()::text, '-', ''), 15))::bit(60)::bigint
            as random_bits) as source,
        generate_series(0, 7) as place
$$;

create table gonggus (
    id uuid not null default gen_random_uuid(),
    influencer_id uuid not null,
    open_at timestamptz not null,
    close_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Taken off by an admin; clicks are then inactive.
    suspended_at timestamptz,
    -- Deleted by its owner. The row stays: clicks and settlements refer to it.
    hidden_at timestamptz,
    -- Billable clicks that were folded so far. Read it through gonggu_click_counts.
    click_count bigint not null default 0,
    original_price int not null,
    gonggu_price int not null,
    discount_rate numeric(5, 2) not null generated always as (
        case
            when original_price = 0 then 0
            else round((original_price - gonggu_price)::numeric * 100 / original_price, 2)
        end
    ) stored,
    short_code text not null default make_short_code(),
    title text not null,
    description text not null default '',
    external_url text not null,
    thumbnail text,
    constraint gonggus_pkey primary key (id),
    constraint gonggus_short_code_key unique (short_code),
    constraint gonggus_influencer_id_fkey foreign key (influencer_id)
        references users (id) on delete restrict,
    constraint gonggus_opens_before_closes check (close_at > open_at),
    constraint gonggus_price_order check (gonggu_price between 0 and original_price),
    constraint gonggus_click_count_range check (click_count >= 0),
    constraint gonggus_short_code_form check (short_code ~ '^[a-z0-9]{4,16}$'),
    constraint gonggus_title_length check (char_length(title) between 1 and 200),
    constraint gonggus_description_length check (char_length(description) <= 20000),
    constraint gonggus_external_url_form
        check (external_url ~ '^https?://[^\s]+$' and char_length(external_url) <= 1000),
    constraint gonggus_thumbnail_length check (char_length(thumbnail) <= 500)
)
-- Folding rewrites click_count every few seconds: free room on each page keeps that off the
-- indexes.
with (fillfactor = 85);

-- There is no status column: scheduled, active and closed follow from the clock, also while no job
-- runs.
create index gonggus_influencer_id_idx on gonggus (influencer_id, created_at desc);
create index gonggus_created_at_idx on gonggus (created_at desc, id) where hidden_at is null;
create index gonggus_close_at_idx on gonggus (close_at, id) where hidden_at is null;
create index gonggus_open_at_idx on gonggus (open_at, id) where hidden_at is null;

-- A count that moved is not an edit.
create trigger gonggus_touch before update on gonggus
    for each row when (old.click_count = new.click_count)
    execute function touch_updated_at();

create function notify_links_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('links_changed', '');
    return null;
end
$$;

-- Once a statement, and once a transaction at the listener: equal notifications are merged. Only
-- what the links file holds counts, or folding would rebuild the file every few seconds.
create trigger gonggus_links_changed
    after insert or delete
    or update of id, influencer_id, short_code, external_url, open_at, close_at, suspended_at,
        hidden_at
    on gonggus
    for each statement execute function notify_links_changed();

create trigger gonggus_links_truncated after truncate on gonggus
    for each statement execute function notify_links_changed();

create table gonggu_categories (
    gonggu_id uuid not null,
    category_id uuid not null,
    constraint gonggu_categories_pkey primary key (gonggu_id, category_id),
    constraint gonggu_categories_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete cascade,
    constraint gonggu_categories_category_id_fkey foreign key (category_id)
        references categories (id) on delete restrict
);

create index gonggu_categories_category_id_idx on gonggu_categories (category_id, gonggu_id);
