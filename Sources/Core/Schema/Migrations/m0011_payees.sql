-- Whom money goes to. The details are sealed by the program with AES-256-GCM under the key of that
-- name; the database has no key.
create table payees (
    user_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    payee_type text not null,
    key_id text not null,
    -- 12 bytes of nonce, the sealed text, 16 bytes of tag.
    sealed bytea not null,
    constraint payees_pkey primary key (user_id),
    constraint payees_user_id_fkey foreign key (user_id) references users (id) on delete restrict,
    constraint payees_payee_type_known check (payee_type in ('individual', 'business')),
    constraint payees_key_id_form check (key_id ~ '^[A-Za-z0-9._-]{1,32}$'),
    constraint payees_sealed_bytes check (octet_length(sealed) between 29 and 8192)
);

create trigger payees_touch before update on payees
    for each row execute function touch_updated_at();

-- Each look at a payee's details, masked or whole, and each change.
create table payee_access_log (
    sequence bigint not null generated always as identity,
    at timestamptz not null default now(),
    user_id uuid not null,
    by_user uuid not null,
    purpose text not null,
    constraint payee_access_log_pkey primary key (sequence),
    constraint payee_access_log_purpose_known
        check (purpose in (
            'shown', 'changed', 'paid', 'bank_export', 'withholding_export',
            'tax_invoice_export', 'workbook_export'))
);

create index payee_access_log_user_id_idx on payee_access_log (user_id, sequence);
create trigger payee_access_log_only_added before update or delete on payee_access_log
    for each row execute function refuse_change();
create trigger payee_access_log_not_emptied before truncate on payee_access_log
    for each statement execute function refuse_change();
