-- What grows without end has an end: notifications go when they are old, and the files of erased
-- people with them.

-- What is old is deleted in batches by it.
create index notifications_created_at_idx on notifications (created_at);

-- How many appeals somebody has open, asked before each one.
create index click_appeals_open_by_idx on click_appeals (created_by) where status = 'open';

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
