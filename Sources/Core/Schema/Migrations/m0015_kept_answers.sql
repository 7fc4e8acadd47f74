-- Answers to POSTs that came with an Idempotency-Key, so that a repeat gets the first answer and
-- does nothing. A row is taken before the work and answered after it; what is not answered when
-- leased_until passes belongs to a process that died, and the next who asks takes it.
create table kept_answers (
    account_id uuid not null,
    -- The operation's name in the API document.
    operation text not null,
    -- What the client sent, byte for byte.
    key text not null,
    -- Whoever took it last: only that one may answer or give it back.
    holder uuid not null,
    leased_until timestamptz not null,
    expires_at timestamptz not null,
    -- SHA-256 of the address and of the body, to tell a repeat from another request.
    question bytea not null,
    -- Null while under way, all three.
    status smallint,
    -- A JSON object of names and values.
    headers text,
    body bytea,
    constraint kept_answers_pkey primary key (account_id, operation, key),
    constraint kept_answers_account_id_fkey foreign key (account_id)
        references users (id) on delete cascade,
    constraint kept_answers_key_form check (key ~ '^[!-~]{1,255}$'),
    constraint kept_answers_question_bytes check (octet_length(question) = 32),
    constraint kept_answers_status_range check (status between 200 and 499),
    constraint kept_answers_body_bytes check (octet_length(body) <= 262144),
    constraint kept_answers_answered_whole
        check (num_nulls(status, headers, body) in (0, 3))
);

-- What has expired is deleted in batches by it.
create index kept_answers_expires_at_idx on kept_answers (expires_at);
