-- Influencers ask to be verified, and people are told what happened.

-- A request and its decision; what was decided stays as it was.
create table influencer_verifications (
    id uuid not null,
    -- With the profile goes what it asked.
    user_id uuid not null,
    decided_by uuid,
    requested_at timestamptz not null default now(),
    decided_at timestamptz,
    status text not null default 'pending',
    message text not null,
    links text[] not null default '{}',
    -- The decider's, shown to the influencer.
    reason text not null default '',
    constraint influencer_verifications_pkey primary key (id),
    constraint influencer_verifications_user_id_fkey foreign key (user_id)
        references influencer_profiles (user_id) on delete cascade,
    constraint influencer_verifications_decided_by_fkey foreign key (decided_by)
        references users (id) on delete set null,
    constraint influencer_verifications_status_known
        check (status in ('pending', 'approved', 'rejected')),
    constraint influencer_verifications_decision_whole
        check ((status = 'pending') = (decided_at is null)),
    constraint influencer_verifications_reason_given check (status <> 'rejected' or reason <> ''),
    constraint influencer_verifications_message_length
        check (char_length(message) between 1 and 2000),
    constraint influencer_verifications_links_count check (cardinality(links) <= 5),
    constraint influencer_verifications_reason_length check (char_length(reason) <= 500)
);

-- One open request a person, whoever asks twice at once.
create unique index influencer_verifications_open_key on influencer_verifications (user_id)
    where status = 'pending';
create index influencer_verifications_user_id_idx
    on influencer_verifications (user_id, requested_at desc);
create index influencer_verifications_status_idx
    on influencer_verifications (status, requested_at, id);

-- The inbox: what a person is told, whatever other ways it is told by besides. The words are made
-- when it is read, in the reader's language, from the kind and the parameters.
create table notifications (
    id uuid not null,
    user_id uuid not null,
    -- What it is about: a request, a gonggu, a settlement.
    subject_id uuid not null,
    created_at timestamptz not null default now(),
    read_at timestamptz,
    kind text not null,
    params jsonb not null default '{}',
    constraint notifications_pkey primary key (id),
    -- Once a person and event, whatever is tried again.
    constraint notifications_event_key unique (user_id, kind, subject_id),
    constraint notifications_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint notifications_kind_form check (kind ~ '^[a-z][a-z_]{0,49}$'),
    constraint notifications_params_object check (jsonb_typeof(params) = 'object')
);

create index notifications_inbox_idx on notifications (user_id, created_at, id);
create index notifications_unread_idx on notifications (user_id, created_at, id)
    where read_at is null;

-- Who is listed, by each way to sort.
create index influencer_profiles_subscriber_count_idx
    on influencer_profiles (is_verified, subscriber_count, user_id);
create index influencer_profiles_created_at_idx
    on influencer_profiles (is_verified, created_at, user_id);
-- So that who is listed can be counted without looking at every account.
create index users_inactive_idx on users (id) where status <> 'active';

-- What changed last, for calendars that ask whether anything did.
create index gonggus_updated_at_idx on gonggus (updated_at);
