-- Who did what to whom. Written in the transaction of the change itself, by every room where
-- somebody decides over others.
create table audit_log (
    sequence bigint not null generated always as identity,
    at timestamptz not null default now(),
    -- Null for an operator's command.
    by_user uuid,
    object_id uuid,
    -- The kind of the object, a dot, what was done: user.suspended.
    action text not null,
    reason text not null default '',
    -- What of the object changed, and nothing that a person may ask to have erased: these rows are
    -- never changed.
    before jsonb,
    after jsonb,
    constraint audit_log_pkey primary key (sequence),
    constraint audit_log_by_user_fkey foreign key (by_user)
        references users (id) on delete restrict,
    constraint audit_log_action_form
        check (action ~ '^[a-z_]+\.[a-z_]+$' and char_length(action) <= 64),
    constraint audit_log_reason_length check (char_length(reason) <= 500),
    constraint audit_log_before_form
        check (jsonb_typeof(before) = 'object' and octet_length(before::text) <= 16384),
    constraint audit_log_after_form
        check (jsonb_typeof(after) = 'object' and octet_length(after::text) <= 16384)
);

-- A list is of an object, of a person, of an action or of all, the newest first.
create index audit_log_object_id_idx on audit_log (object_id, at, sequence);
create index audit_log_by_user_idx on audit_log (by_user, at, sequence);
create index audit_log_action_idx on audit_log (action, at, sequence);
create index audit_log_at_idx on audit_log (at, sequence);

create trigger audit_log_only_added before update or delete on audit_log
    for each row execute function refuse_change();
create trigger audit_log_not_emptied before truncate on audit_log
    for each statement execute function refuse_change();
