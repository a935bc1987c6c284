-- Keep a resolved cohort; what was frozen before stays.
insert into rollout_cohort (rollout_id, chain_id, position, name, partners, resolved_at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
