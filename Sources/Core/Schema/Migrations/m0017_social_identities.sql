-- Signing in by Kakao, Naver, Google and Apple: an account can have an identity at each.

create table social_identities (
    user_id uuid not null,
    linked_at timestamptz not null default now(),
    provider text not null,
    -- The provider's own name for the person, which stays when the e-mail changes.
    subject text not null,
    -- One person of a provider is one account, also when they come twice in the same moment.
    constraint social_identities_pkey primary key (provider, subject),
    -- Two people of one provider are not one account, whatever their e-mails.
    constraint social_identities_user_id_provider_key unique (user_id, provider),
    constraint social_identities_user_id_fkey foreign key (user_id)
        references users (id) on delete cascade,
    constraint social_identities_provider_known
        check (provider in ('kakao', 'naver', 'google', 'apple')),
    constraint social_identities_subject_length check (char_length(subject) between 1 and 255)
);

insert into social_identities (user_id, provider, subject, linked_at)
select id, social_provider, social_id, created_at
from users
where social_provider is not null and social_id <> '';

comment on column users.social_provider is 'superseded by social_identities; not written';
comment on column users.social_id is 'superseded by social_identities; not written';

alter table users
    -- When somebody proved that the address is theirs; null for one that was only typed.
    add column email_verified_at timestamptz,
    -- Access tokens from before do not count. They are not stored, so they cannot be revoked one
    -- by one.
    add column tokens_valid_after timestamptz,
    add constraint users_email_verified_whole
        check (email is not null or email_verified_at is null);

-- A proof is of one address. It goes with that address, whatever statement changes it.
create function forget_email_proof() returns trigger language plpgsql as $$
begin
    if lower(new.email) is distinct from lower(old.email)
        and new.email_verified_at is not distinct from old.email_verified_at
    then
        new.email_verified_at := null;
    end if;
    return new;
end
$$;

create trigger users_forget_email_proof before update of email on users
    for each row execute function forget_email_proof();
