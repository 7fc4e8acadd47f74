-- Whom shoppers follow, what they keep, and what they say of it. Counts are moved by the statement
-- that changes what they count, whoever runs it: an API, an erased account's cascade, an operator.

create table subscriptions (
    id uuid not null default gen_random_uuid(),
    buyer_id uuid not null,
    influencer_id uuid not null,
    created_at timestamptz not null default now(),
    notify_enabled boolean not null default true,
    constraint subscriptions_pkey primary key (id),
    constraint subscriptions_buyer_id_influencer_id_key unique (buyer_id, influencer_id),
    constraint subscriptions_buyer_id_fkey foreign key (buyer_id)
        references users (id) on delete cascade,
    constraint subscriptions_influencer_id_fkey foreign key (influencer_id)
        references users (id) on delete cascade,
    constraint subscriptions_not_oneself check (buyer_id <> influencer_id)
);

-- A subscriber's list, and the feed, which needs nothing but the influencers.
create index subscriptions_buyer_id_created_at_idx
    on subscriptions (buyer_id, created_at, influencer_id);
-- Telling a million subscribers of a new gonggu, batch by batch, by the index alone.
create index subscriptions_influencer_id_idx
    on subscriptions (influencer_id, buyer_id) include (notify_enabled);

-- Profiles are locked last and in the order of their key. So whoever waits for one holds no profile
-- that comes after it, and a thousand who subscribe to one influencer wait in a line, not in a
-- ring. Foreign keys are checked before: their triggers' names come first.
create function count_subscribers() returns trigger language plpgsql as $$
begin
    perform
    from influencer_profiles
    where user_id in (select influencer_id from changed)
    order by user_id
    for no key update;
    update influencer_profiles as profile
    set subscriber_count = profile.subscriber_count
        + case tg_op when 'INSERT' then change.subscribers else -change.subscribers end
    from (
        select influencer_id, count(*)::int as subscribers
        from changed
        group by influencer_id
    ) as change
    where profile.user_id = change.influencer_id;
    return null;
end
$$;

create trigger subscriptions_counted_inserted after insert on subscriptions
    referencing new table as changed
    for each statement execute function count_subscribers();
create trigger subscriptions_counted_deleted after delete on subscriptions
    referencing old table as changed
    for each statement execute function count_subscribers();

-- A count would be left behind.
create trigger subscriptions_stay before update of buyer_id, influencer_id on subscriptions
    for each row execute function refuse_change();

update influencer_profiles set subscriber_count = 0 where subscriber_count <> 0;

-- A popular profile's count moves all day: that wants room on its page, and is no edit of the
-- profile.
alter table influencer_profiles set (fillfactor = 70);
drop trigger influencer_profiles_touch on influencer_profiles;
create trigger influencer_profiles_touch before update on influencer_profiles
    for each row when (old.subscriber_count = new.subscriber_count)
    execute function touch_updated_at();

-- The newest gonggus of each of a thousand influencers, and how many there are, by the index alone.
create index gonggus_feed_idx on gonggus (influencer_id, created_at, id)
    where hidden_at is null and suspended_at is null;

create table favorites (
    user_id uuid not null,
    gonggu_id uuid not null,
    created_at timestamptz not null default now(),
    constraint favorites_pkey primary key (user_id, gonggu_id),
    constraint favorites_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint favorites_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete cascade
);

create index favorites_user_id_created_at_idx on favorites (user_id, created_at, gonggu_id);
-- Who is to be told that a gonggu closes.
create index favorites_gonggu_id_idx on favorites (gonggu_id, user_id);

create table reviews (
    id uuid not null default gen_random_uuid(),
    gonggu_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    rating smallint not null,
    content text not null,
    -- URLs that our upload has answered.
    images text[] not null default '{}',
    constraint reviews_pkey primary key (id),
    constraint reviews_gonggu_id_user_id_key unique (gonggu_id, user_id),
    constraint reviews_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete cascade,
    constraint reviews_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint reviews_rating_range check (rating between 1 and 5),
    constraint reviews_content_length check (char_length(content) between 1 and 2000),
    constraint reviews_images_count check (cardinality(images) <= 10)
);

create index reviews_gonggu_id_created_at_idx on reviews (gonggu_id, created_at, id);
create index reviews_gonggu_id_rating_idx on reviews (gonggu_id, rating, id);
create index reviews_user_id_idx on reviews (user_id);

create trigger reviews_touch before update on reviews
    for each row execute function touch_updated_at();
create trigger reviews_stay before update of id, gonggu_id, user_id on reviews
    for each row execute function refuse_change();

-- Beside the gonggu and not in it: its row is wide, has many indexes, and an edit of it is
-- announced to the edges.
create table gonggu_review_totals (
    gonggu_id uuid not null,
    review_count int not null,
    rating_sum int not null,
    constraint gonggu_review_totals_pkey primary key (gonggu_id),
    constraint gonggu_review_totals_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete cascade,
    constraint gonggu_review_totals_review_count_range check (review_count >= 0),
    -- What the ratings' range makes of it: a count that went wrong is likely to be refused.
    constraint gonggu_review_totals_rating_sum_range
        check (rating_sum between review_count and 5 * review_count)
)
with (fillfactor = 60);

-- As with subscriptions: totals last, in the order of their key.
create function count_reviews() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into gonggu_review_totals as total (gonggu_id, review_count, rating_sum)
        select gonggu_id, count(*), sum(rating)
        from added
        group by gonggu_id
        order by gonggu_id
        on conflict on constraint gonggu_review_totals_pkey do update
        set review_count = total.review_count + excluded.review_count,
            rating_sum = total.rating_sum + excluded.rating_sum;
        return null;
    end if;
    perform
    from gonggu_review_totals
    where gonggu_id in (select gonggu_id from removed)
    order by gonggu_id
    for no key update;
    if tg_op = 'DELETE' then
        update gonggu_review_totals as total
        set review_count = total.review_count - change.reviews,
            rating_sum = total.rating_sum - change.ratings
        from (
            select gonggu_id, count(*) as reviews, sum(rating) as ratings
            from removed
            group by gonggu_id
        ) as change
        where total.gonggu_id = change.gonggu_id;
    else
        update gonggu_review_totals as total
        set rating_sum = total.rating_sum + change.ratings
        from (
            select gonggu_id, sum(added.rating - removed.rating) as ratings
            from removed
            join added using (id, gonggu_id)
            group by gonggu_id
            having sum(added.rating - removed.rating) <> 0
        ) as change
        where total.gonggu_id = change.gonggu_id;
    end if;
    return null;
end
$$;

create trigger reviews_counted_inserted after insert on reviews
    referencing new table as added
    for each statement execute function count_reviews();
create trigger reviews_counted_deleted after delete on reviews
    referencing old table as removed
    for each statement execute function count_reviews();
create trigger reviews_counted_updated after update on reviews
    referencing old table as removed new table as added
    for each statement execute function count_reviews();
