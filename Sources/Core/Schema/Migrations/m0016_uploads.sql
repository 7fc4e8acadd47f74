-- Images that accounts have sent, and tries that came to nothing: what the hourly bound counts, and
-- who an image is of. The files are elsewhere, under the id and the Korean month of created_at.
create table uploads (
    id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    -- Null for a try that failed or is under way; such rows go after a day.
    stored_at timestamptz,
    sent_bytes int,
    width int,
    height int,
    purpose text,
    constraint uploads_pkey primary key (id),
    -- The files outlive the account no longer than whoever removes them needs to find them.
    constraint uploads_user_id_fkey foreign key (user_id) references users (id) on delete restrict,
    constraint uploads_purpose_known check (purpose in ('image', 'banner')),
    constraint uploads_stored_whole check (
        (stored_at is null) = (purpose is null) and (stored_at is null) = (sent_bytes is null)
        and (stored_at is null) = (width is null) and (stored_at is null) = (height is null)),
    constraint uploads_sizes_positive check (sent_bytes > 0 and width > 0 and height > 0)
);

create index uploads_user_id_created_at_idx on uploads (user_id, created_at);
