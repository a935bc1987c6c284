-- Whom a rollout waits for and what comes next, as it says itself with every entry of its log: an inbox is read from
-- here, whether or not a worker answers. `awaits` are those persons in lower case, for looking up.
alter table rollout
    add column awaited jsonb not null default '[]',
    add column awaits text[] not null default '{}',
    add column next text not null default '';
create index rollout_awaits on rollout using gin (awaits) where open;

-- Lists by age, and what has changed since one looked.
create index rollout_by_age on rollout (opened_at desc, rollout_id);
create index rollout_by_change on rollout (updated_at);

-- The log of all rollouts, the newest entries first.
create index decision_log_by_time on decision_log (recorded_at desc, rollout_id, sequence desc);
