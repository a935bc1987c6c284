-- Follows keep_evidence.sql as a part of it: what is kept of a look is kept by one statement, all of it or nothing.
-- $9 purpose; then a column each, side by side. The first word on a moment stands: a repeated judgement of it does not
-- count twice. The line before the last is for keep_soon.sql; store/evidence.py fills it in.
insert into judged_reading
    (rollout_id, chain_id, cohort, metric, as_of, purpose, value, verdict, beyond, snapshot_digest)
select rollout_id, chain_id, cohort, metric, as_of, $9::text, value, verdict, beyond, snapshot_digest
from unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::float8[], $16::text[],
            $17::bool[], $18::text[])
     as reading (rollout_id, chain_id, cohort, metric, as_of, value, verdict, beyond, snapshot_digest)
:soon
on conflict do nothing
