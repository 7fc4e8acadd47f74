-- The final say on clicks. A click's row is never changed: what was thought of it afterwards stands
-- in click_adjudications, row by row, and the newest row of a click counts.
--
-- Verdict 9, refused: a person looked at a held click and refused it. No edge gives it.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is only added to', tg_table_name using errcode = 'restrict_violation';
end
$$;

-- What a click is judged by, once and for all: a row never changes its meaning.
create table rule_sets (
    created_at timestamptz not null default now(),
    window_seconds int not null,
    flood_clicks_per_minute int not null,
    version smallint not null,
    -- Of the lists that the program brings; it refuses to judge by lists that it does not have.
    bot_table smallint not null,
    datacenters text not null,
    name text not null,
    note text not null default '',
    constraint rule_sets_pkey primary key (version),
    constraint rule_sets_name_key unique (name),
    constraint rule_sets_version_range check (version > 0),
    constraint rule_sets_name_form check (name ~ '^[a-z0-9][a-z0-9.-]{0,39}$'),
    constraint rule_sets_window_seconds_range check (window_seconds between 1 and 86400),
    constraint rule_sets_flood_range check (flood_clicks_per_minute between 1 and 1000000),
    constraint rule_sets_note_length check (char_length(note) <= 1000)
);

create trigger rule_sets_kept before update or delete on rule_sets
    for each row execute function refuse_change();

-- The edge's rules of that version with its settings as they come.
insert into rule_sets
    (version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters, note)
values (2, 'standard-2', 300, 60, 2, '2026-11-21', 'As the edge judges by itself.');

-- Each re-judgement of a period. One that is running and whose session is gone was interrupted: it
-- goes on from its cursor.
create table adjudication_runs (
    -- Clicks from here on, and before the other.
    from_at timestamptz not null,
    to_at timestamptz not null,
    requested_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    -- The last click that was judged and committed, in the order of judgement.
    cursor_at timestamptz,
    rows_read bigint not null default 0,
    clicks_read bigint not null default 0,
    changes bigint not null default 0,
    id uuid not null default gen_random_uuid(),
    cursor_id uuid,
    -- Null for a command on the server.
    requested_by uuid,
    rule_set smallint not null,
    cursor_rank smallint,
    state text not null default 'waiting',
    failure text not null default '',
    constraint adjudication_runs_pkey primary key (id),
    constraint adjudication_runs_rule_set_fkey foreign key (rule_set)
        references rule_sets (version),
    constraint adjudication_runs_period_not_empty check (from_at < to_at),
    constraint adjudication_runs_state_known
        check (state in ('waiting', 'running', 'finished', 'failed')),
    constraint adjudication_runs_cursor_whole
        check (num_nulls(cursor_at, cursor_rank, cursor_id) in (0, 3)),
    -- One at a time over any moment: of two, the later would judge by what the other changes.
    constraint adjudication_runs_one_at_a_time
        exclude using gist (tstzrange(from_at, to_at) with &&)
        where (state in ('waiting', 'running'))
);

-- What a finished run has seen of each Korean day: with fewer rows than the ledger has now, clicks
-- came late.
create table adjudication_days (
    rows_read bigint not null,
    clicks_read bigint not null,
    run_id uuid not null,
    day date not null,
    constraint adjudication_days_pkey primary key (run_id, day),
    constraint adjudication_days_run_id_fkey foreign key (run_id)
        references adjudication_runs (id)
);

-- An influencer's question about clicks that are not paid.
create table click_appeals (
    created_at timestamptz not null default now(),
    from_at timestamptz not null,
    to_at timestamptz not null,
    answered_at timestamptz,
    id uuid not null default gen_random_uuid(),
    gonggu_id uuid not null,
    created_by uuid not null,
    answered_by uuid,
    -- Which verdict they think is wrong.
    verdict smallint not null,
    status text not null default 'open',
    grounds text not null,
    answer text not null default '',
    constraint click_appeals_pkey primary key (id),
    constraint click_appeals_gonggu_id_fkey foreign key (gonggu_id) references gonggus (id),
    constraint click_appeals_period_not_empty check (from_at < to_at),
    constraint click_appeals_verdict_known check (verdict between 1 and 9),
    constraint click_appeals_status_known check (status in ('open', 'accepted', 'declined')),
    constraint click_appeals_answered_whole
        check ((status = 'open') = (num_nulls(answered_at, answered_by) = 2)),
    constraint click_appeals_grounds_length check (char_length(grounds) between 1 and 2000),
    constraint click_appeals_answer_length check (char_length(answer) <= 2000)
);

create index click_appeals_open_idx on click_appeals (created_at) where status = 'open';
create index click_appeals_gonggu_id_idx on click_appeals (gonggu_id, created_at desc);

-- What people decided, of a flood or an appeal: an input of every judgement from then on, and who
-- decided it and why. Of several over a click the newest counts.
create table click_decisions (
    decided_at timestamptz not null default now(),
    from_at timestamptz not null,
    -- Included: a flag's last click.
    to_at timestamptz not null,
    -- The order of decisions, where their times are the same.
    seq bigint not null generated always as identity,
    id uuid not null default gen_random_uuid(),
    decided_by uuid not null,
    gonggu_id uuid not null,
    -- Its address, if it is not erased, is whom a flood's decision is about.
    flag_id uuid,
    appeal_id uuid,
    verdict smallint not null,
    outcome text not null,
    reason text not null,
    constraint click_decisions_pkey primary key (id),
    constraint click_decisions_flag_id_fkey foreign key (flag_id) references click_flags (id),
    constraint click_decisions_appeal_id_fkey foreign key (appeal_id)
        references click_appeals (id),
    constraint click_decisions_one_cause check (num_nonnulls(flag_id, appeal_id) = 1),
    constraint click_decisions_period_in_order check (from_at <= to_at),
    constraint click_decisions_outcome_known check (outcome in ('release', 'refuse')),
    constraint click_decisions_reason_length check (char_length(reason) between 1 and 2000)
);

create index click_decisions_to_at_idx on click_decisions (to_at);

create trigger click_decisions_kept before update or delete on click_decisions
    for each row execute function refuse_change();

-- Each change of a verdict: from what, to what, by which rules, who, when and why.
create table click_adjudications (
    clicked_at timestamptz not null,
    decided_at timestamptz not null default now(),
    -- The newest of a click has the highest.
    seq bigint not null generated always as identity,
    click_id uuid not null,
    gonggu_id uuid not null,
    run_id uuid,
    decision_id uuid,
    -- Null for a command on the server.
    decided_by uuid,
    from_verdict smallint not null,
    to_verdict smallint not null,
    -- The rule within the rule set, as in click_trackings.
    to_reason smallint not null default 0,
    rule_set smallint not null,
    reason text not null,
    constraint click_adjudications_pkey primary key (seq),
    constraint click_adjudications_run_id_fkey foreign key (run_id)
        references adjudication_runs (id),
    constraint click_adjudications_decision_id_fkey foreign key (decision_id)
        references click_decisions (id),
    constraint click_adjudications_one_cause check (num_nonnulls(run_id, decision_id) = 1),
    constraint click_adjudications_verdicts_known
        check (from_verdict between 0 and 9 and to_verdict between 0 and 9),
    constraint click_adjudications_reason_length check (char_length(reason) between 1 and 2000)
);

create index click_adjudications_click_idx
    on click_adjudications (gonggu_id, clicked_at, click_id, seq desc);
create index click_adjudications_run_id_idx on click_adjudications (run_id);

create trigger click_adjudications_kept before update or delete on click_adjudications
    for each row execute function refuse_change();
create trigger click_adjudications_whole before truncate on click_adjudications
    for each statement execute function refuse_change();

-- The newest row of each click above, for joins: only the trigger below writes it.
create table final_verdicts (
    clicked_at timestamptz not null,
    gonggu_id uuid not null,
    click_id uuid not null,
    verdict smallint not null,
    reason smallint not null,
    rule_set smallint not null,
    constraint final_verdicts_pkey primary key (gonggu_id, clicked_at, click_id)
)
with (fillfactor = 90);

create index final_verdicts_clicked_at_idx on final_verdicts (clicked_at);

-- Moves the clicks of these adjudications from one line of the statistics to the other. The only
-- writer of corrections.
--
-- Ingest sums what exceeds its bound on channels and hosts in the line (other): a click whose own
-- line does not have it is taken from there.
create function correct_click_stats(seqs bigint[]) returns void
language sql set jit = off as $$
    with moved as materialized (
        select change.gonggu_id, date_trunc('hour', change.clicked_at, 'UTC') as hour,
            change.from_verdict, change.to_verdict, click.device, click.country, click.channel,
            coalesce(referer.host, '') as referer_host, sum(click.click_count)::bigint as clicks
        from click_adjudications as change
        join click_trackings as click
            on click.clicked_at = change.clicked_at and click.id = change.click_id
        left join referers as referer on referer.id = click.referer_id
        where change.seq = any (seqs)
            and change.from_verdict <> change.to_verdict
        group by 1, 2, 3, 4, 5, 6, 7, 8
    ),
    present as materialized (
        select gonggu_id, hour, verdict, device, country, channel, referer_host,
            greatest(sum(clicks), 0)::bigint as clicks
        from click_stats
        where gonggu_id = any (array(select distinct gonggu_id from moved))
            and hour = any (array(select distinct hour from moved))
            and verdict = any (array(select distinct from_verdict from moved))
        group by 1, 2, 3, 4, 5, 6, 7
    ),
    -- Several verdicts may draw on one line: each takes what those before it have left.
    drawn as (
        select moved.*, coalesce(present.clicks, 0) as present,
            sum(moved.clicks) over (
                partition by moved.gonggu_id, moved.hour, moved.from_verdict, moved.device,
                    moved.country, moved.channel, moved.referer_host
                order by moved.to_verdict) as until_here
        from moved
        left join present
            on present.gonggu_id = moved.gonggu_id
            and present.hour = moved.hour
            and present.verdict = moved.from_verdict
            and present.device = moved.device
            and present.country = moved.country
            and present.channel = moved.channel
            and present.referer_host = moved.referer_host
    ),
    split as (
        select *,
            least(until_here, present) - least(until_here - clicks, present) as own
        from drawn
    ),
    lines as (
        select gonggu_id, hour, -own as clicks, from_verdict as verdict, device, country, channel,
            referer_host
        from split
        union all
        select gonggu_id, hour, own, to_verdict, device, country, channel, referer_host
        from split
        union all
        select gonggu_id, hour, own - clicks, from_verdict, device, country, '', '(other)'
        from split
        union all
        select gonggu_id, hour, clicks - own, to_verdict, device, country, '', '(other)'
        from split
    )
    insert into click_stats_deltas
        (gonggu_id, hour, clicks, verdict, device, country, channel, referer_host)
    select gonggu_id, hour, sum(clicks)::bigint, verdict, device, country, channel, referer_host
    from lines
    group by gonggu_id, hour, verdict, device, country, channel, referer_host
    having sum(clicks) <> 0
$$;

-- Whoever adds an adjudication moves the final verdict and the statistics with it, in the same
-- statement; one that does not begin where the click stands is refused.
create function settle_adjudications() returns trigger
language plpgsql set jit = off as $$
declare
    -- Named for the planner: with the period it looks into those days' partitions only.
    first_at timestamptz := (select min(clicked_at) from added);
    last_at timestamptz := (select max(clicked_at) from added);
begin
    if exists (
        select from added
        left join click_trackings as click
            on click.clicked_at = added.clicked_at and click.id = added.click_id
            and click.clicked_at between first_at and last_at
        left join final_verdicts as final
            on final.gonggu_id = added.gonggu_id and final.clicked_at = added.clicked_at
            and final.click_id = added.click_id
        where click.gonggu_id is distinct from added.gonggu_id
            or coalesce(final.verdict, click.verdict) <> added.from_verdict
    ) then
        raise exception 'an adjudication begins at another verdict than its click has'
            using errcode = 'integrity_constraint_violation',
                constraint = 'click_adjudications_chained';
    end if;
    insert into final_verdicts (gonggu_id, clicked_at, click_id, verdict, reason, rule_set)
    select gonggu_id, clicked_at, click_id, to_verdict, to_reason, rule_set
    from added
    on conflict on constraint final_verdicts_pkey do update
    set verdict = excluded.verdict, reason = excluded.reason, rule_set = excluded.rule_set;
    perform correct_click_stats(array(select seq from added));
    return null;
end
$$;

create trigger click_adjudications_settle after insert on click_adjudications
    referencing new table as added
    for each statement execute function settle_adjudications();

-- Each stored click with the verdict that counts. `adjudicated` where a finished run has covered
-- its time: only such clicks are settled. Give it a gonggu and a period: it then reads those of
-- both tables, by partition and by key.
create view final_clicks as
select
    click.clicked_at,
    click.id,
    click.gonggu_id,
    coalesce(final.verdict, click.verdict) as verdict,
    click.click_count,
    coalesce(
        (
            select range_agg(tstzrange(from_at, to_at))
            from adjudication_runs
            where state = 'finished'
        ) @> click.clicked_at,
        false) as adjudicated,
    click.verdict as edge_verdict,
    coalesce(final.reason, click.reason) as reason,
    coalesce(final.rule_set, click.rule_set) as rule_set,
    click.visitor_key
from click_trackings as click
left join final_verdicts as final
    on final.gonggu_id = click.gonggu_id
    and final.clicked_at = click.clicked_at
    and final.click_id = click.id;

-- What was known of a gonggu when: its times change, but not for clicks of the past.
create table gonggu_terms (
    known_at timestamptz not null,
    open_at timestamptz not null,
    close_at timestamptz not null,
    gonggu_id uuid not null,
    influencer_id uuid not null,
    -- By an admin, or hidden by its owner.
    is_off boolean not null,
    constraint gonggu_terms_pkey primary key (gonggu_id, known_at)
);

create function note_gonggu_terms() returns trigger language plpgsql as $$
begin
    insert into gonggu_terms (gonggu_id, known_at, open_at, close_at, influencer_id, is_off)
    values (
        new.id, now(), new.open_at, new.close_at, new.influencer_id,
        new.suspended_at is not null or new.hidden_at is not null)
    on conflict on constraint gonggu_terms_pkey do update
    set open_at = excluded.open_at, close_at = excluded.close_at,
        influencer_id = excluded.influencer_id, is_off = excluded.is_off;
    return null;
end
$$;

create trigger gonggus_terms_noted
    after insert or update of open_at, close_at, influencer_id, suspended_at, hidden_at on gonggus
    for each row execute function note_gonggu_terms();

insert into gonggu_terms (gonggu_id, known_at, open_at, close_at, influencer_id, is_off)
select id, created_at, open_at, close_at, influencer_id,
    suspended_at is not null or hidden_at is not null
from gonggus;
