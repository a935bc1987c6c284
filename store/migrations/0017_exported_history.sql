-- What Temporal knew of each run of a rollout's chain, kept beyond the namespace's retention; and what was found wrong
-- with the workflow of an open rollout.

-- `history` is the SDK's JSON in canonical form (RFC 8785), compressed (gzip); `sha256` and `size` are of that JSON.
-- `version` counts from 1: there is a second one only where a later history of the run does not begin as the first one
-- does. `position` is the run's place in the chain, from 1; after a reset two runs have the same one.
create table exported_history (
    rollout_id     text not null,
    chain_id       text not null,
    run_id         text not null,
    version        integer not null default 1 check (version > 0),
    position       integer not null check (position > 0),
    continued_from text,                                -- the run before it in the chain
    reset_from     text,                                -- the run that it repeats the beginning of
    first_event    bigint not null,
    last_event     bigint not null,
    closed         boolean not null,                    -- the run is over: nothing will be added to it
    size           bigint not null,                     -- bytes
    sha256         text not null,
    history        bytea not null,
    exported_at    timestamptz not null default now(),
    primary key (rollout_id, chain_id, run_id, version),
    foreign key (rollout_id, chain_id) references rollout,
    check (first_event = 1 and last_event >= first_event)
);
create index exported_history_by_run on exported_history (run_id) where closed;

-- A run that is under way grows; one that is over stays, and none goes.
create trigger exported_history_stays before delete or truncate on exported_history
    for each statement execute function refuse_change();
create trigger exported_history_closed before update on exported_history
    for each row when (old.closed) execute function refuse_change();

-- A rollout that ends is reviewed; the review is kept like what it is made of.
alter table evidence drop constraint evidence_kind_check;
alter table evidence add constraint evidence_kind_check check (kind in ('snapshot', 'assessment', 'review'));

-- What is wrong with the workflow of a rollout, from when it was found until it was over. `about` is the run.
create table workflow_alarm (
    rollout_id text not null,
    chain_id   text not null,
    trouble    text not null,
    about      text not null,
    detail     text not null,
    raised_at  timestamptz not null default now(),
    over_at    timestamptz,
    primary key (rollout_id, chain_id, trouble, about),
    foreign key (rollout_id, chain_id) references rollout
);
create index workflow_alarm_standing on workflow_alarm (raised_at) where over_at is null;
