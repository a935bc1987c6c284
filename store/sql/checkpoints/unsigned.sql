-- Seconds for which the oldest entry has stood that no checkpoint covers, and in how many chains there is one.
select coalesce(max(extract(epoch from now() - first.recorded_at)), 0)::float8 as seconds, count(*) as chains
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
