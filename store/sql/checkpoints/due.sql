-- Chains in whose log something has stood for $1 that no checkpoint covers.
select r.rollout_id, r.chain_id
from rollout r
left join lateral (
    select c.size from log_checkpoint c
    where (c.rollout_id, c.chain_id) = (r.rollout_id, r.chain_id)
    order by c.number desc
    limit 1
) newest on true
cross join lateral (
    select l.recorded_at from decision_log l
    where (l.rollout_id, l.chain_id) = (r.rollout_id, r.chain_id) and l.sequence > coalesce(newest.size, 0)
    order by l.sequence
    limit 1
) first
where first.recorded_at <= now() - $1::interval
order by first.recorded_at
