-- What rollouts leave behind: their standing, frozen cohorts, enrolments, evidence, the decision log, notices.
--
-- A rollout is known by (rollout_id, chain_id): the plan's id, and the first run of its chain of workflow runs, so
-- that a plan started again after its history is gone never mixes with what it was before.

create table rollout (
    rollout_id       text not null,
    chain_id         text not null,
    plan             jsonb not null,
    plan_digest      text not null,
    real_start       timestamptz not null,
    programme_start  timestamptz not null,
    speed            double precision not null check (speed > 0),
    phase            text not null default 'prepare',
    wave             integer,
    status           text not null default 'running',
    sentence         text not null default '',
    since            timestamptz not null,
    open             boolean not null default true,
    watched          jsonb not null default '[]',
    baselines        jsonb not null default '[]',
    tolerance_since  timestamptz,
    sequence         bigint not null default 0,        -- newest entry the standing speaks of
    opened_at        timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    primary key (rollout_id, chain_id)
);
create index rollout_open on rollout (opened_at) where open;

-- Cohorts as resolved at prepare. The order of names is the order in which partners were given out.
create table rollout_cohort (
    rollout_id  text not null,
    chain_id    text not null,
    position    integer not null,
    name        text not null,
    partners    text[] not null check (cardinality(partners) > 0),
    resolved_at timestamptz not null,
    primary key (rollout_id, chain_id, name),
    foreign key (rollout_id, chain_id) references rollout
);

-- The change made real: a partner is under the new rule from enrolled_at until withdrawn_at. The row stays after
-- the withdrawal, so that an enrolment that was on its way when it was taken back finds its place occupied.
create table enrolment (
    rollout_id   text not null,
    chain_id     text not null,
    phase        text not null,
    wave         integer not null default 0,            -- 0 where the phase has no waves
    partner_id   text not null references partner (partner_id),
    cohort       text not null,
    enrolled_at  timestamptz not null,
    withdrawn_at timestamptz,
    primary key (rollout_id, chain_id, partner_id, phase, wave),
    foreign key (rollout_id, chain_id) references rollout,
    check (withdrawn_at >= enrolled_at)
);
create unique index enrolment_once on enrolment (rollout_id, chain_id, partner_id) where withdrawn_at is null;
create index enrolment_by_partner on enrolment (partner_id);

-- Evidence is kept whole and never changed; the digest names its content.
create table evidence (
    rollout_id  text not null,
    chain_id    text not null,
    digest      text not null,
    evidence_id text not null,
    kind        text not null check (kind in ('snapshot', 'assessment')),
    purpose     text not null,
    as_of       timestamptz not null,
    body        jsonb not null,
    recorded_at timestamptz not null default now(),
    primary key (rollout_id, chain_id, digest),
    foreign key (rollout_id, chain_id) references rollout
);
create index evidence_by_time on evidence (rollout_id, chain_id, as_of);
create index evidence_by_digest on evidence (digest text_pattern_ops);

-- One reading of one metric of one cohort as judged: tolerances count over these.
create table judged_reading (
    rollout_id      text not null,
    chain_id        text not null,
    cohort          text not null,
    metric          text not null,
    as_of           timestamptz not null,               -- programme time
    purpose         text not null,                      -- the phase that asked, or watch
    value           double precision,
    verdict         text not null,
    beyond          boolean,                            -- NULL: says nothing, so that it counts for neither side
    snapshot_digest text not null,
    primary key (rollout_id, chain_id, cohort, metric, as_of),
    foreign key (rollout_id, chain_id) references rollout
);
create index judged_reading_by_time on judged_reading (rollout_id, chain_id, as_of);

-- What the watch saw last and what it told the rollout last.
create table watch_mark (
    rollout_id     text not null,
    chain_id       text not null,
    evaluated_at   timestamptz not null,                -- programme time
    told_at        timestamptz,                         -- programme time of the last signal
    signature      text,                                -- of the picture the rollout was told of
    breached       text[] not null default '{}',
    primary key (rollout_id, chain_id),
    foreign key (rollout_id, chain_id) references rollout
);

create table decision_log (
    rollout_id   text not null,
    chain_id     text not null,
    sequence     bigint not null check (sequence > 0),
    run_id       text not null,
    at           timestamptz not null,
    programme_at timestamptz not null,
    kind         text not null,
    actor        text,
    outcome      text,
    request_id   text,
    entry        jsonb not null,
    recorded_at  timestamptz not null default now(),
    primary key (rollout_id, chain_id, sequence),
    foreign key (rollout_id, chain_id) references rollout
);
create index decision_log_by_request on decision_log (request_id) where request_id is not null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;
create trigger decision_log_append_only before update or delete or truncate on decision_log
    for each statement execute function refuse_change();
create trigger evidence_append_only before update or delete or truncate on evidence
    for each statement execute function refuse_change();

-- Notices wait here until every channel has taken them, one row per person. A letter is waiting, sent or refused.
create table notice (
    notice_id   text not null,
    contact     text not null,
    rollout_id  text not null,
    chain_id    text not null,
    kind        text not null,
    subject     text not null,
    body        text not null,
    created_at  timestamptz not null default now(),
    attempts    integer not null default 0,
    delivered   text[] not null default '{}',           -- channels that took it
    next_try_at timestamptz not null default now(),     -- real time
    problem     text,                                   -- of the latest attempt
    sent_at     timestamptz,                            -- every channel took it
    refused_at  timestamptz,                            -- a channel will never take it
    primary key (notice_id, contact),
    foreign key (rollout_id, chain_id) references rollout
);
create index notice_waiting on notice (next_try_at) where sent_at is null and refused_at is null;
