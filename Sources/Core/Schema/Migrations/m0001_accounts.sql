-- Who may sign in, and what an influencer shows of themselves.

-- Keeps updated_at true without each statement having to remember it.
create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create table users (
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Null where a social provider tells none.
    email text,
    -- Null for who signs in by a social provider only.
    password_hash text,
    nickname text not null,
    role text not null default 'buyer',
    status text not null default 'active',
    social_provider text,
    social_id text,
    profile_image text,
    constraint users_pkey primary key (id),
    constraint users_email_form check (email ~ '^[^@\s]+@[^@\s]+$' and char_length(email) <= 255),
    constraint users_nickname_length check (char_length(nickname) between 1 and 50),
    constraint users_role_known check (role in ('buyer', 'influencer', 'finance', 'admin')),
    constraint users_status_known check (status in ('active', 'suspended', 'pending')),
    constraint users_social_whole check ((social_provider is null) = (social_id is null)),
    constraint users_social_provider_known
        check (social_provider in ('kakao', 'naver', 'google', 'apple')),
    constraint users_social_id_length check (char_length(social_id) <= 255),
    constraint users_profile_image_length check (char_length(profile_image) <= 500),
    constraint users_social_key unique (social_provider, social_id)
);

-- An address is one person's however it is capitalised; what they typed is kept to show it.
create unique index users_email_key on users (lower(email));

create trigger users_touch before update on users
    for each row execute function touch_updated_at();

create table refresh_tokens (
    id uuid not null default gen_random_uuid(),
    -- All tokens that one sign-in led to: reuse of a spent one revokes them together.
    family_id uuid not null,
    user_id uuid not null,
    issued_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    -- The token itself is not stored: who reads this table cannot sign in with it.
    token_hash bytea not null,
    constraint refresh_tokens_pkey primary key (id),
    constraint refresh_tokens_token_hash_key unique (token_hash),
    constraint refresh_tokens_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint refresh_tokens_expires_after_issue check (expires_at > issued_at)
);

create index refresh_tokens_family_id_idx on refresh_tokens (family_id);
create index refresh_tokens_user_id_idx on refresh_tokens (user_id);
create index refresh_tokens_expires_at_idx on refresh_tokens (expires_at);

create table influencer_profiles (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    subscriber_count int not null default 0,
    is_verified boolean not null default false,
    bio text not null default '',
    banner_image text,
    instagram_url text,
    tiktok_url text,
    constraint influencer_profiles_pkey primary key (id),
    constraint influencer_profiles_user_id_key unique (user_id),
    constraint influencer_profiles_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint influencer_profiles_subscriber_count_range check (subscriber_count >= 0),
    constraint influencer_profiles_bio_length check (char_length(bio) <= 2000),
    constraint influencer_profiles_banner_image_length check (char_length(banner_image) <= 500),
    constraint influencer_profiles_instagram_url_length check (char_length(instagram_url) <= 500),
    constraint influencer_profiles_tiktok_url_length check (char_length(tiktok_url) <= 500)
);

create trigger influencer_profiles_touch before update on influencer_profiles
    for each row execute function touch_updated_at();
