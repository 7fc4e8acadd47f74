-- How far a decision on a flag is. Few clicks are judged again while the person waits; of many, the
-- decision is written down and judged by page after page, each with its place in one transaction.

create table decision_runs (
    started_at timestamptz,
    finished_at timestamptz,
    -- The last click that was looked at and committed, in the order of judgement.
    cursor_at timestamptz,
    rows_read bigint not null default 0,
    changes bigint not null default 0,
    decision_id uuid not null,
    cursor_id uuid,
    cursor_rank smallint,
    state text not null default 'waiting',
    failure text not null default '',
    constraint decision_runs_pkey primary key (decision_id),
    constraint decision_runs_decision_id_fkey foreign key (decision_id)
        references click_decisions (id),
    constraint decision_runs_state_known
        check (state in ('waiting', 'running', 'finished', 'failed')),
    constraint decision_runs_cursor_whole
        check (num_nulls(cursor_at, cursor_rank, cursor_id) in (0, 3))
);

-- The few that are asked for every second.
create index decision_runs_unfinished_idx on decision_runs (decision_id)
    where state in ('waiting', 'running');
create index click_decisions_flag_id_idx on click_decisions (flag_id, seq desc)
    where flag_id is not null;
-- What a decision has changed near its cursor: read when it is taken up again.
create index click_adjudications_decision_id_idx on click_adjudications (decision_id, clicked_at)
    where decision_id is not null;

-- Those of before were made in one transaction each.
insert into decision_runs (decision_id, state, started_at, finished_at, changes)
select decision.id, 'finished', decision.decided_at, decision.decided_at, (
    select count(*) from click_adjudications as change where change.decision_id = decision.id
)
from click_decisions as decision
where decision.flag_id is not null;
