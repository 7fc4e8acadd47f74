-- Clicks become money: rates, sealed days, settlements, payments, payees.
--
-- What a closed month pays has to be found again from the clicks alone, although clicks go on to
-- arrive late and to be judged anew. So a day is frozen before it is counted: from then on a click
-- that arrives is noted in late_clicks, and one whose verdict changes in revised_clicks with the
-- verdict it had. "The clicks of the day as they were when it was frozen" is then a query over
-- tables, today and in five years, and no snapshot, clock or hidden column has part in it.
-- What was noted is settled click by click, as corrections, in the first month drafted after it.

-- Rates ------------------------------------------------------------------------------------------

-- Won a click from a Korean day on: of a gonggu, of an influencer, or of all. Only ever added to.
create table cpc_rates (
    -- Of two of the same scope and day the later one counts.
    sequence bigint not null generated always as identity,
    id uuid not null default gen_random_uuid(),
    gonggu_id uuid,
    influencer_id uuid,
    rate_won bigint not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    effective_from date not null,
    reason text not null default '',
    constraint cpc_rates_pkey primary key (sequence),
    constraint cpc_rates_id_key unique (id),
    constraint cpc_rates_one_scope check (num_nonnulls(gonggu_id, influencer_id) <= 1),
    constraint cpc_rates_gonggu_id_fkey foreign key (gonggu_id)
        references gonggus (id) on delete restrict,
    constraint cpc_rates_influencer_id_fkey foreign key (influencer_id)
        references users (id) on delete restrict,
    constraint cpc_rates_created_by_fkey foreign key (created_by)
        references users (id) on delete restrict,
    constraint cpc_rates_rate_won_range check (rate_won between 0 and 1000000),
    constraint cpc_rates_reason_length check (char_length(reason) <= 500)
);

create index cpc_rates_scope_idx
    on cpc_rates (gonggu_id, influencer_id, effective_from desc, sequence desc);

-- What a valid click of that Korean day is worth; null where no rate says.
create function cpc_rate_at(gonggu uuid, day date) returns bigint
language sql stable parallel safe as $$
    select coalesce(
        (
            select rate_won from cpc_rates
            where gonggu_id = gonggu and influencer_id is null and effective_from <= day
            order by effective_from desc, sequence desc limit 1
        ),
        (
            select rate_won from cpc_rates
            where gonggu_id is null and effective_from <= day
                and influencer_id = (select g.influencer_id from gonggus g where g.id = gonggu)
            order by effective_from desc, sequence desc limit 1
        ),
        (
            select rate_won from cpc_rates
            where gonggu_id is null and influencer_id is null and effective_from <= day
            order by effective_from desc, sequence desc limit 1
        ))
$$;

-- tax = ⌊base × basis_points / (10000 × rounding_won)⌋ × rounding_won, looked up by the payment's
-- date. Only ever added to.
create table tax_rates (
    kind text not null,
    effective_from date not null,
    basis_points bigint not null,
    -- What the tax is cut to: 10 drops the last digit.
    rounding_won bigint not null,
    law text not null,
    constraint tax_rates_pkey primary key (kind, effective_from),
    constraint tax_rates_kind_known check (kind in ('income', 'local', 'vat')),
    constraint tax_rates_basis_points_range check (basis_points between 0 and 10000),
    constraint tax_rates_rounding_won_range check (rounding_won in (1, 10, 100))
);

insert into tax_rates (kind, effective_from, basis_points, rounding_won, law) values
    ('income', '2000-01-01', 300, 10, '소득세법 제129조제1항제3호, 국고금관리법 제47조'),
    -- Of the income tax.
    ('local', '2000-01-01', 1000, 10, '지방세법 제103조의13, 지방세기본법 제59조'),
    ('vat', '2000-01-01', 1000, 1, '부가가치세법 제30조');

create trigger cpc_rates_only_added before update or delete on cpc_rates
    for each row execute function refuse_change();
create trigger cpc_rates_not_emptied before truncate on cpc_rates
    for each statement execute function refuse_change();
create trigger tax_rates_only_added before update or delete on tax_rates
    for each row execute function refuse_change();
create trigger tax_rates_not_emptied before truncate on tax_rates
    for each statement execute function refuse_change();

-- Control totals read a month of all gonggus, which the primary key does not find. Rows are added
-- in the order of time or nearly, so their blocks' ranges of hours do, at next to no cost.
create index click_stats_hourly_hour_idx on click_stats_hourly
    using brin (hour) with (pages_per_range = 32, autosummarize = on);

-- Sealed days ------------------------------------------------------------------------------------

create function korean_day(moment timestamptz) returns date
language sql immutable strict parallel safe as $$
    select (moment at time zone '+09:00'::interval)::date
$$;

create function korean_month(moment timestamptz) returns date
language sql immutable strict parallel safe as $$
    select date_trunc('month', moment at time zone '+09:00'::interval)::date
$$;

-- A day that is frozen, and once it was counted, sealed.
create table click_day_seals (
    day date not null,
    -- The month whose closing paid for it.
    settled_month date,
    frozen_at timestamptz not null default clock_timestamp(),
    clicks bigint,
    -- Of the binary COPY of (clicked_at, id, gonggu_id, click_count) of the valid clicks in the
    -- order of (clicked_at, id).
    sha256 bytea,
    constraint click_day_seals_pkey primary key (day),
    constraint click_day_seals_whole check ((clicks is null) = (sha256 is null)),
    constraint click_day_seals_settled_sealed check (settled_month is null or sha256 is not null),
    constraint click_day_seals_sha256_bytes check (octet_length(sha256) = 32),
    constraint click_day_seals_clicks_range check (clicks >= 0)
);

create index click_day_seals_settled_month_idx on click_day_seals (settled_month);

-- Valid clicks by gonggu, counted from the same stream that was hashed.
create table click_day_counts (
    day date not null,
    gonggu_id uuid not null,
    clicks bigint not null,
    constraint click_day_counts_pkey primary key (day, gonggu_id),
    constraint click_day_counts_day_fkey foreign key (day)
        references click_day_seals (day) on delete cascade,
    constraint click_day_counts_clicks_range check (clicks > 0)
);

create index click_day_counts_gonggu_id_idx on click_day_counts (gonggu_id, day);

-- Arrived after its day was frozen.
create table late_clicks (
    clicked_at timestamptz not null,
    id uuid not null,
    -- The month whose draft took it up; null while none has.
    drafted_month date,
    constraint late_clicks_pkey primary key (clicked_at, id)
);

create index late_clicks_drafted_month_idx on late_clicks (drafted_month);

-- Judged anew after its day was frozen.
create table revised_clicks (
    clicked_at timestamptz not null,
    id uuid not null,
    drafted_month date,
    -- What it was when the day was frozen.
    sealed_verdict smallint not null,
    constraint revised_clicks_pkey primary key (clicked_at, id)
);

create index revised_clicks_drafted_month_idx on revised_clicks (drafted_month);

-- What a restored day's file brings back was there when the day was frozen, or is noted already.
create function note_late_click() returns trigger language plpgsql as $$
begin
    if to_regclass('pg_temp.click_restoring') is null then
        insert into late_clicks (clicked_at, id) values (new.clicked_at, new.id);
    end if;
    return null;
end
$$;

-- Has the day's partition note what arrives from now on; waits for who is writing to it.
create function note_late_clicks_of(frozen_day date) returns void language plpgsql as $$
declare
    partition_name text := click_table_name('trackings', frozen_day);
begin
    if not exists (
        select from pg_trigger
        where tgrelid = partition_name::regclass and tgname = 'note_late'
    ) then
        execute format(
            'create trigger note_late after insert on %I for each row '
            'execute function note_late_click()', partition_name);
    end if;
end
$$;

-- A day's table changes when it is erased; the new one goes on noting, from the same instant.
create function keep_noting_late_clicks() returns trigger language plpgsql as $$
begin
    if exists (select from click_day_seals where day = new.day)
        and click_table_exists(click_table_name('trackings', new.day))
    then
        perform note_late_clicks_of(new.day);
    end if;
    return null;
end
$$;

create trigger click_days_note_late after insert or update of erased_at on click_days
    for each row when (new.erased_at is not null) execute function keep_noting_late_clicks();

-- As before; and a day that is frozen goes on noting in a partition that is made anew.
create or replace function ensure_click_partition(day date) returns boolean language plpgsql as $$
declare
    partition_name text := click_table_name('trackings', day);
begin
    if exists (
        select from pg_inherits
        where inhparent = 'click_trackings'::regclass
            and inhrelid = to_regclass(partition_name)
            and not inhdetachpending
    ) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0));
    if click_table_exists(partition_name) then
        -- Another may have made it while we waited for the lock.
        if exists (
            select from pg_inherits
            where inhparent = 'click_trackings'::regclass
                and inhrelid = partition_name::regclass
                and not inhdetachpending
        ) then
            return false;
        end if;
        if exists (
            select from pg_inherits
            where inhparent = 'click_trackings'::regclass
                and inhrelid = partition_name::regclass
        ) and not pg_try_advisory_xact_lock(hashtextextended('ingest_maintain', 0)) then
            raise exception 'the clicks of % are just being detached', day
                using errcode = 'object_in_use', hint = 'try again in a moment';
        end if;
        perform settle_click_detachment(day);
    end if;
    execute format('create table %I (like click_trackings including all)', partition_name);
    execute format('alter index %I set (fillfactor = 100)', partition_name || '_pkey');
    if exists (
        select from click_days where click_days.day = ensure_click_partition.day
            and erased_at is not null
    ) then
        execute format(
            'create trigger click_erased before insert on %I '
            'for each row execute function erase_click_on_arrival()', partition_name);
    end if;
    if exists (
        select from click_day_seals as seal where seal.day = ensure_click_partition.day
    ) then
        perform note_late_clicks_of(day);
    end if;
    -- Korea has no daylight saving time: a day is 24 hours from 00:00+09.
    execute format(
        'alter table click_trackings attach partition %I for values from (%L) to (%L)',
        partition_name, day || ' 00:00+09', day + 1 || ' 00:00+09');
    return true;
end
$$;

-- A day may leave the ledger when a closed month has paid for its seal. Where no rate is set
-- nothing is paid, so nothing is waited for.
create or replace function click_month_is_settled(day date) returns boolean
language sql stable as $$
    select exists (
        select from click_day_seals as seal
        where seal.day = click_month_is_settled.day and seal.settled_month is not null
    ) or not exists (select from cpc_rates)
$$;

-- The first change since the day was frozen tells what the click was then; any change makes the
-- next draft look at it again.
create function note_revised_clicks() returns trigger language plpgsql as $$
begin
    insert into revised_clicks (clicked_at, id, sealed_verdict)
    select distinct on (change.clicked_at, change.click_id)
        change.clicked_at, change.click_id, change.from_verdict
    from fresh as change
    join click_day_seals as seal on seal.day = korean_day(change.clicked_at)
    order by change.clicked_at, change.click_id, change.seq
    on conflict on constraint revised_clicks_pkey do update set drafted_month = null;
    return null;
end
$$;

create trigger click_adjudications_revise after insert on click_adjudications
    referencing new table as fresh
    for each statement execute function note_revised_clicks();

-- Freezes a Korean day that has a partition; false where it has none. Call it in a transaction of
-- its own: it waits for who is writing to the day, and whoever comes after it is noted.
create function freeze_click_day(frozen_day date) returns boolean language plpgsql as $$
declare
    partition_name text := click_table_name('trackings', frozen_day);
begin
    if not click_table_exists(partition_name) then
        return false;
    end if;
    if exists (select from click_day_seals where day = frozen_day) then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('freeze_click_day', 0));
    if exists (select from click_day_seals where day = frozen_day) then
        return true;
    end if;
    perform note_late_clicks_of(frozen_day);
    lock table click_adjudications in share row exclusive mode;
    insert into click_day_seals (day) values (frozen_day);
    return true;
end
$$;

-- Settlements ------------------------------------------------------------------------------------

-- A Korean month, by its first day: drafted, closed, and then never changed again.
create table settlement_months (
    month date not null,
    status text not null default 'draft',
    drafted_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    drafted_by uuid not null,
    closed_by uuid,
    minimum_payout_won bigint not null,
    -- Control totals. The ledger's, as statistics count the month, whatever is settled:
    gross_clicks bigint not null default 0,
    valid_clicks bigint not null default 0,
    held_clicks bigint not null default 0,
    rejected_clicks bigint not null default 0,
    -- valid_clicks less what is settled for the month and what waits to be; has to be 0 to close.
    unexplained_clicks bigint not null default 0,
    -- Valid at the edge and not adjudicated yet: the next month will look at them.
    pending_clicks bigint not null default 0,
    -- What is settled:
    settlements bigint not null default 0,
    lines bigint not null default 0,
    sealed_clicks bigint not null default 0,
    corrected_clicks bigint not null default 0,
    settled_clicks bigint not null default 0,
    lines_won bigint not null default 0,
    carried_in_won bigint not null default 0,
    payable_won bigint not null default 0,
    carried_out_won bigint not null default 0,
    -- Of settlement_manifest(month).
    manifest_sha256 bytea,
    constraint settlement_months_pkey primary key (month),
    constraint settlement_months_first_day check (extract(day from month) = 1),
    constraint settlement_months_status_known check (status in ('draft', 'closed')),
    constraint settlement_months_drafted_by_fkey foreign key (drafted_by)
        references users (id) on delete restrict,
    constraint settlement_months_closed_by_fkey foreign key (closed_by)
        references users (id) on delete restrict,
    constraint settlement_months_closed_whole
        check ((status = 'closed') = (closed_by is not null and closed_at is not null)),
    constraint settlement_months_two_people check (closed_by <> drafted_by),
    constraint settlement_months_explained check (status = 'draft' or unexplained_clicks = 0),
    constraint settlement_months_clicks_add_up
        check (sealed_clicks + corrected_clicks = settled_clicks),
    constraint settlement_months_balance
        check (carried_in_won + lines_won = payable_won + carried_out_won)
);

-- An influencer's month.
create table settlements (
    -- Made of month and influencer, so that two copies of a database agree on it.
    id uuid not null,
    month date not null,
    influencer_id uuid not null,
    status text not null default 'draft',
    -- Not paid until somebody releases it.
    held_at timestamptz,
    held_by uuid,
    hold_reason text,
    clicks bigint not null default 0,
    lines_won bigint not null default 0,
    -- What earlier months left, also below zero.
    carried_in_won bigint not null default 0,
    payable_won bigint not null default 0,
    carried_out_won bigint not null default 0,
    -- Theirs when the month was drafted.
    nickname text not null default '',
    -- A business's, as it was told; it is not paid without one.
    tax_invoice_number text,
    tax_invoice_day date,
    constraint settlements_pkey primary key (id),
    constraint settlements_month_influencer_id_key unique (month, influencer_id),
    constraint settlements_month_fkey foreign key (month) references settlement_months (month),
    constraint settlements_influencer_id_fkey foreign key (influencer_id)
        references users (id) on delete restrict,
    constraint settlements_held_by_fkey foreign key (held_by)
        references users (id) on delete restrict,
    constraint settlements_status_known
        check (status in ('draft', 'closed', 'held', 'paid', 'carried')),
    constraint settlements_hold_whole check (num_nonnulls(held_at, held_by, hold_reason) in (0, 3)),
    constraint settlements_held_held
        check (case status
            when 'held' then held_at is not null
            when 'closed' then held_at is null
            when 'paid' then held_at is null
            else true end),
    constraint settlements_hold_reason_length check (char_length(hold_reason) between 1 and 500),
    constraint settlements_payable_range check (payable_won >= 0),
    constraint settlements_balance
        check (carried_in_won + lines_won = payable_won + carried_out_won),
    constraint settlements_invoice_whole
        check ((tax_invoice_number is null) = (tax_invoice_day is null)),
    constraint settlements_invoice_number_form check (tax_invoice_number ~ '^[0-9A-Za-z-]{8,40}$')
);

create index settlements_influencer_id_idx on settlements (influencer_id, month desc);

-- What is paid for: clicks of a gonggu at a rate, or an amount somebody gave a reason for.
create table settlement_lines (
    month date not null,
    influencer_id uuid not null,
    -- From 1 within the settlement, by kind, month corrected, gonggu and rate.
    number int not null,
    kind text not null,
    gonggu_id uuid,
    -- The month the clicks are of: the settlement's own, or an earlier one that it corrects.
    corrects_month date not null,
    clicks bigint not null,
    rate_won bigint,
    amount_won bigint not null,
    -- The gonggu's when the month was drafted, so that exports stay as they were.
    title text not null default '',
    note text not null default '',
    constraint settlement_lines_pkey primary key (month, influencer_id, number),
    constraint settlement_lines_settlement_fkey foreign key (month, influencer_id)
        references settlements (month, influencer_id)
        deferrable initially deferred,
    constraint settlement_lines_kind_known check (kind in ('clicks', 'correction', 'manual')),
    constraint settlement_lines_kind_whole
        check ((kind = 'manual') = (gonggu_id is null)
            and (gonggu_id is null) = (rate_won is null)),
    constraint settlement_lines_amount check (kind = 'manual' or amount_won = clicks * rate_won),
    constraint settlement_lines_month_corrected
        check (corrects_month <= month and (kind <> 'clicks' or corrects_month = month)
            and (kind <> 'correction' or corrects_month < month))
);

-- A click whose pay changes: it came late, or was judged anew. For each click, what its day's seal
-- pays and all of these add up to what it is worth.
create table settlement_corrections (
    clicked_at timestamptz not null,
    id uuid not null,
    -- The month whose draft found it.
    month date not null,
    gonggu_id uuid not null,
    corrects_month date not null,
    clicks bigint not null,
    rate_won bigint,
    constraint settlement_corrections_pkey primary key (clicked_at, id, month),
    constraint settlement_corrections_month_fkey foreign key (month)
        references settlement_months (month),
    constraint settlement_corrections_clicks_range check (clicks <> 0)
);

create index settlement_corrections_month_idx
    on settlement_corrections (month, gonggu_id, clicked_at, id);
create index settlement_corrections_corrects_month_idx on settlement_corrections (corrects_month);

-- An amount that no click explains, for the next month to be drafted.
create table settlement_adjustments (
    sequence bigint not null generated always as identity,
    id uuid not null default gen_random_uuid(),
    influencer_id uuid not null,
    amount_won bigint not null,
    made_at timestamptz not null default clock_timestamp(),
    made_by uuid not null,
    corrects_month date not null,
    -- The month that was closed with it.
    settled_month date,
    reason text not null,
    constraint settlement_adjustments_pkey primary key (sequence),
    constraint settlement_adjustments_id_key unique (id),
    constraint settlement_adjustments_influencer_id_fkey foreign key (influencer_id)
        references users (id) on delete restrict,
    constraint settlement_adjustments_made_by_fkey foreign key (made_by)
        references users (id) on delete restrict,
    constraint settlement_adjustments_amount_range
        check (amount_won <> 0 and amount_won between -10000000000 and 10000000000),
    constraint settlement_adjustments_reason_length check (char_length(reason) between 1 and 500)
);

create index settlement_adjustments_settled_month_idx on settlement_adjustments (settled_month);

-- Money that left. One a settlement at most, which is what makes paying twice impossible.
create table settlement_payments (
    settlement_id uuid not null,
    month date not null,
    influencer_id uuid not null,
    paid_at timestamptz not null default now(),
    paid_by uuid not null,
    -- Who closed the month.
    closed_by uuid not null,
    payment_day date not null,
    payee_type text not null,
    gross_won bigint not null,
    income_tax_won bigint not null,
    local_tax_won bigint not null,
    vat_won bigint not null,
    paid_won bigint not null,
    -- The payee's sealed details as they were, and the key that opens them.
    payee_key_id text not null,
    payee_sealed bytea not null,
    constraint settlement_payments_pkey primary key (settlement_id),
    constraint settlement_payments_settlement_id_fkey foreign key (settlement_id)
        references settlements (id),
    constraint settlement_payments_two_people check (paid_by <> closed_by),
    constraint settlement_payments_payee_type_known
        check (payee_type in ('individual', 'business')),
    constraint settlement_payments_gross_range check (gross_won > 0),
    constraint settlement_payments_type_whole
        check (case payee_type
            when 'individual' then vat_won = 0
            else income_tax_won = 0 and local_tax_won = 0 end),
    constraint settlement_payments_balance
        check (paid_won = gross_won - income_tax_won - local_tax_won + vat_won and paid_won > 0)
);

create index settlement_payments_month_idx on settlement_payments (month, influencer_id);
create index settlement_payments_payee_idx on settlement_payments (influencer_id, payment_day);

-- Who did what to which month or settlement, and why.
create table settlement_events (
    sequence bigint not null generated always as identity,
    at timestamptz not null default now(),
    by_user uuid not null,
    month date not null,
    settlement_id uuid,
    kind text not null,
    detail text not null default '',
    constraint settlement_events_pkey primary key (sequence),
    constraint settlement_events_kind_known
        check (kind in (
            'drafted', 'closed', 'paid', 'held', 'released', 'adjusted', 'invoiced', 'exported')),
    constraint settlement_events_detail_length check (char_length(detail) <= 2000)
);

create index settlement_events_month_idx on settlement_events (month, sequence);
create trigger settlement_events_only_added before update or delete on settlement_events
    for each row execute function refuse_change();
create trigger settlement_events_not_emptied before truncate on settlement_events
    for each statement execute function refuse_change();
create trigger settlement_payments_only_added before update or delete on settlement_payments
    for each row execute function refuse_change();
create trigger settlement_payments_not_emptied before truncate on settlement_payments
    for each statement execute function refuse_change();

-- A closed month never changes -------------------------------------------------------------------

create function is_closed_month(asked date) returns boolean language sql stable as $$
    select exists (select from settlement_months where month = asked and status = 'closed')
$$;

create function refuse_closed() returns trigger language plpgsql as $$
begin
    raise exception 'what a closed month says is never changed (%)', tg_table_name
        using errcode = 'integrity_constraint_violation', constraint = tg_name;
end
$$;

create trigger settlement_months_closed before update or delete on settlement_months
    for each row when (old.status = 'closed') execute function refuse_closed();

-- Closing itself changes settlements while their month is a draft. Afterwards a settlement may be
-- held, released, invoiced and paid, and nothing else of it changes.
create function guard_settlement() returns trigger language plpgsql as $$
begin
    if not is_closed_month(old.month) then
        return case tg_op when 'DELETE' then old else new end;
    end if;
    if tg_op = 'UPDATE'
        and (new.id, new.month, new.influencer_id, new.clicks, new.lines_won, new.carried_in_won,
            new.payable_won, new.carried_out_won)
        is not distinct from
            (old.id, old.month, old.influencer_id, old.clicks, old.lines_won, old.carried_in_won,
            old.payable_won, old.carried_out_won)
        and (old.status, new.status) in (
            ('closed', 'closed'), ('closed', 'held'), ('held', 'held'), ('held', 'closed'),
            ('closed', 'paid'))
    then
        return new;
    end if;
    raise exception 'what a closed month says is never changed (%)', tg_table_name
        using errcode = 'integrity_constraint_violation', constraint = tg_name;
end
$$;

create trigger settlements_closed before update or delete on settlements
    for each row execute function guard_settlement();

-- A statement at a time: a draft writes a hundred thousand lines.
create function guard_lines() returns trigger language plpgsql as $$
begin
    if exists (
        select from changed
        join settlement_months as m on m.month = changed.month
        where m.status = 'closed'
    ) then
        raise exception 'what a closed month says is never changed (%)', tg_table_name
            using errcode = 'integrity_constraint_violation', constraint = tg_name;
    end if;
    return null;
end
$$;

create trigger settlements_closed_inserted after insert on settlements
    referencing new table as changed for each statement execute function guard_lines();
create trigger settlement_lines_closed_inserted after insert on settlement_lines
    referencing new table as changed for each statement execute function guard_lines();
create trigger settlement_lines_closed_deleted after delete on settlement_lines
    referencing old table as changed for each statement execute function guard_lines();
create trigger settlement_lines_closed_updated before update on settlement_lines
    for each row execute function refuse_closed();
create trigger settlement_corrections_closed_inserted after insert on settlement_corrections
    referencing new table as changed for each statement execute function guard_lines();
create trigger settlement_corrections_closed_deleted after delete on settlement_corrections
    referencing old table as changed for each statement execute function guard_lines();
create trigger settlement_corrections_closed_updated before update on settlement_corrections
    for each row execute function refuse_closed();

create trigger click_day_seals_settled before update or delete on click_day_seals
    for each row when (old.settled_month is not null) execute function refuse_closed();

create function guard_day_counts() returns trigger language plpgsql as $$
begin
    if exists (
        select from changed
        join click_day_seals as s on s.day = changed.day
        where s.settled_month is not null
    ) then
        raise exception 'what a closed month says is never changed (%)', tg_table_name
            using errcode = 'integrity_constraint_violation', constraint = tg_name;
    end if;
    return null;
end
$$;

create trigger click_day_counts_settled_inserted after insert on click_day_counts
    referencing new table as changed for each statement execute function guard_day_counts();
create trigger click_day_counts_settled_deleted after delete on click_day_counts
    referencing old table as changed for each statement execute function guard_day_counts();
create trigger click_day_counts_settled_updated before update on click_day_counts
    for each row execute function refuse_closed();

create trigger settlement_adjustments_settled before update or delete on settlement_adjustments
    for each row when (old.settled_month is not null) execute function refuse_closed();

-- Once noted, always noted: what a day was when it was frozen is told by these two.
create trigger late_clicks_kept before delete on late_clicks
    for each row execute function refuse_change();
create trigger late_clicks_not_moved before update of clicked_at, id on late_clicks
    for each row execute function refuse_change();
create trigger revised_clicks_kept before delete on revised_clicks
    for each row execute function refuse_change();
create trigger revised_clicks_not_moved
    before update of clicked_at, id, sealed_verdict on revised_clicks
    for each row execute function refuse_change();

create function refuse_emptying() returns trigger language plpgsql as $$
begin
    if exists (select from settlement_months where status = 'closed') then
        raise exception 'what a closed month says is never changed (%)', tg_table_name
            using errcode = 'integrity_constraint_violation', constraint = tg_name;
    end if;
    return null;
end
$$;

create trigger settlement_months_not_emptied before truncate on settlement_months
    for each statement execute function refuse_emptying();
create trigger settlements_not_emptied before truncate on settlements
    for each statement execute function refuse_emptying();
create trigger settlement_lines_not_emptied before truncate on settlement_lines
    for each statement execute function refuse_emptying();
create trigger settlement_corrections_not_emptied before truncate on settlement_corrections
    for each statement execute function refuse_emptying();
create trigger settlement_adjustments_not_emptied before truncate on settlement_adjustments
    for each statement execute function refuse_emptying();
create trigger click_day_seals_not_emptied before truncate on click_day_seals
    for each statement execute function refuse_emptying();
create trigger click_day_counts_not_emptied before truncate on click_day_counts
    for each statement execute function refuse_emptying();
create trigger late_clicks_not_emptied before truncate on late_clicks
    for each statement execute function refuse_emptying();
create trigger revised_clicks_not_emptied before truncate on revised_clicks
    for each statement execute function refuse_emptying();

create function settlement_id(month date, influencer uuid) returns uuid
language sql immutable strict parallel safe as $$
    select md5('settlement/' || to_char(month, 'YYYY-MM') || '/' || influencer)::uuid
$$;

-- All that a month pays, as lines of text in one order: nothing of it depends on a clock, a random
-- number or the order in which rows were written. Its hash is the SHA-256 of these lines, each
-- ended by a line feed:
--   psql -At -c "select settlement_manifest('2026-11-01')" | sha256sum
-- Verification calls it over recounted tables of the same names.
create function settlement_manifest(asked date) returns setof text language sql stable as $$
    (
        select concat_ws(
            '|', 'gonggumoa-settlement', 1, to_char(month, 'YYYY-MM'),
            'minimum_payout_won', minimum_payout_won, 'settlements', settlements, 'lines', lines,
            'sealed_clicks', sealed_clicks, 'corrected_clicks', corrected_clicks,
            'settled_clicks', settled_clicks, 'lines_won', lines_won,
            'carried_in_won', carried_in_won, 'payable_won', payable_won,
            'carried_out_won', carried_out_won)
        from settlement_months
        where month = asked
    )
    union all
    (
        select concat_ws(
            '|', 'day', to_char(day, 'YYYY-MM-DD'), clicks, encode(sha256, 'hex'))
        from click_day_seals
        where settled_month = asked
            or settled_month is null and sha256 is not null and day < asked + interval '1 month'
                and not is_closed_month(asked)
        order by day
    )
    union all
    (
        select concat_ws(
            '|', 'correction', (extract(epoch from clicked_at) * 1000000)::bigint, id, gonggu_id,
            to_char(corrects_month, 'YYYY-MM'), clicks, rate_won)
        from settlement_corrections
        where month = asked
        order by clicked_at, id
    )
    union all
    (
        select concat_ws(
            '|', 'settlement', influencer_id, clicks, lines_won, carried_in_won, payable_won,
            carried_out_won)
        from settlements
        where month = asked
        order by influencer_id
    )
    union all
    (
        select concat_ws(
            '|', 'line', influencer_id, number, kind, coalesce(gonggu_id::text, ''),
            to_char(corrects_month, 'YYYY-MM'), clicks, coalesce(rate_won::text, ''), amount_won,
            note)
        from settlement_lines
        where month = asked
        order by influencer_id, number
    )
$$;

-- Where each won of a closed month is; the difference is always 0.
create view settlement_books as
select
    m.month, m.lines_won, m.carried_in_won,
    s.paid_won, s.tax_won, s.vat_won, s.held_won, s.unpaid_won, m.carried_out_won,
    m.lines_won + m.carried_in_won
        - (s.paid_won - s.vat_won + s.tax_won + s.held_won + s.unpaid_won + m.carried_out_won)
        as difference_won
from settlement_months as m
cross join lateral (
    select
        coalesce(sum(p.paid_won), 0)::bigint as paid_won,
        coalesce(sum(p.income_tax_won + p.local_tax_won), 0)::bigint as tax_won,
        coalesce(sum(p.vat_won), 0)::bigint as vat_won,
        coalesce(sum(each.payable_won) filter (where each.status = 'held'), 0)::bigint as held_won,
        coalesce(sum(each.payable_won) filter (where each.status = 'closed'), 0)::bigint
            as unpaid_won
    from settlements as each
    left join settlement_payments as p on p.settlement_id = each.id
    where each.month = m.month
) as s
where m.status = 'closed';
