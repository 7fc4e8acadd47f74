-- Leaving, being suspended, being erased; and attempts to sign in that failed.

alter table users
    -- When the holder asked to be erased. Signing in within 30 days takes it back.
    add column erase_requested_at timestamptz,
    add column erased_at timestamptz,
    drop constraint users_status_known,
    add constraint users_status_known
        check (status in ('active', 'suspended', 'pending', 'erased')),
    add constraint users_erased_whole check ((status = 'erased') = (erased_at is not null)),
    -- The row stays, since clicks and money name it; nothing in it says any more who it was.
    add constraint users_erased_empty
        check (status <> 'erased'
            or num_nonnulls(email, password_hash, social_id, profile_image) = 0);

create index users_erase_requested_at_idx on users (erase_requested_at, id)
    where erase_requested_at is not null and status <> 'erased';

-- The lists of accounts: all, of a role, of a state, by the beginning of an e-mail or a nickname.
-- Bytes are compared, so that a beginning is a range in any locale.
create index users_created_at_idx on users (created_at, id);
create index users_role_idx on users (role, created_at, id) include (status);
create index users_status_idx on users (status, created_at, id) include (role);
create index users_email_prefix_idx on users (lower(email) collate "C");
create index users_nickname_prefix_idx on users (lower(nickname) collate "C");

-- When the attempts to sign in to an account, or from an address, stop counting. Unlogged: after a
-- crash of the server it is empty, which forgives ten failures.
create unlogged table login_attempts (
    -- 16 bytes of an HMAC of the e-mail or the address: neither is stored, and both are short.
    key bytea not null,
    -- Of the latest, at which the row is of no use any more.
    expires_at timestamptz not null,
    counts_until timestamptz[] not null,
    constraint login_attempts_pkey primary key (key),
    constraint login_attempts_key_bytes check (octet_length(key) = 16),
    constraint login_attempts_counts_until_length check (cardinality(counts_until) <= 10)
);

create index login_attempts_expires_at_idx on login_attempts (expires_at);

-- Whether an influencer may still be owed money, also in months that are not closed yet.
create function is_owed_money(asked uuid, until_month date) returns boolean
language sql stable as $$
    select exists (
        select from settlements
        where influencer_id = asked
            and (status = 'draft' or status in ('closed', 'held') and payable_won > 0)
    )
    or exists (
        select from settlement_adjustments
        where influencer_id = asked and settled_month is null
    )
    or coalesce((
        select carried_out_won from settlements
        where influencer_id = asked
        order by month desc
        limit 1
    ), 0) > 0
    -- Clicks came until the gonggus were hidden; their month has to be closed.
    or exists (select from gonggus where influencer_id = asked)
        and not exists (
            select from settlement_months where status = 'closed' and month >= until_month
        )
$$;
