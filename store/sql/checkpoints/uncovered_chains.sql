-- Chains in whose log something stands that no checkpoint covers, and for how many seconds the oldest of it has, the
-- longest first.
select r.rollout_id, r.chain_id, extract(epoch from now() - first.recorded_at)::float8 as seconds
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
order by first.recorded_at
