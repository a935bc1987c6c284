insert into decision_log
    (rollout_id, chain_id, sequence, run_id, at, programme_at, kind, actor, outcome, request_id, entry)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict do nothing
returning sequence
