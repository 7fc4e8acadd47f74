-- What grows without end has an end: notifications go when they are old, the files of erased people
-- with them. And lists that went through a table whole have an index.

-- What is old is deleted in batches by it.
create index notifications_created_at_idx on notifications (created_at);

-- How many appeals somebody has open, asked before each one; lists of all and of one's own.
create index click_appeals_open_by_idx on click_appeals (created_by) where status = 'open';
create index click_appeals_created_at_idx on click_appeals (created_at, id);
create index click_appeals_created_by_idx on click_appeals (created_by, created_at);

-- Lists of floods, by each way to sort. A flood's row is written once a batch, not once a click.
create index click_flags_last_clicked_at_idx on click_flags (last_clicked_at, id);
create index click_flags_clicks_idx on click_flags (clicks, id);

-- Pictures whose files are to go. Written in the transaction that forgets whose they were, and
-- deleted once both files are gone, so that neither a crash nor a bucket that is away keeps one.
create table discarded_images (
    -- Those of uploads, whose row is gone: together they make the files' names.
    id uuid not null,
    created_at timestamptz not null,
    -- Not tried before.
    due_at timestamptz not null default now(),
    tries int not null default 0,
    constraint discarded_images_pkey primary key (id),
    constraint discarded_images_tries_range check (tries >= 0)
);

create index discarded_images_due_at_idx on discarded_images (due_at);
