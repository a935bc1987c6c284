-- $1 purpose; then a column each, side by side. The first word on a moment stands: a repeated judgement of it does not
-- count twice.
insert into judged_reading
    (rollout_id, chain_id, cohort, metric, as_of, purpose, value, verdict, beyond, snapshot_digest)
select rollout_id, chain_id, cohort, metric, as_of, $1, value, verdict, beyond, snapshot_digest
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::float8[], $8::text[], $9::bool[],
            $10::text[])
     as reading (rollout_id, chain_id, cohort, metric, as_of, value, verdict, beyond, snapshot_digest)
on conflict do nothing
