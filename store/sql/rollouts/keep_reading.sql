-- The first word on a moment stands: a repeated judgement of it does not count twice.
insert into judged_reading (rollout_id, chain_id, cohort, metric, as_of, purpose, value, verdict, beyond, snapshot_digest)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict do nothing
