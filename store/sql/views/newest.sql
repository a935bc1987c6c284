-- $1 rollouts: the keys of their newest chains.
select distinct on (rollout_id) rollout_id, chain_id
from rollout
where rollout_id = any ($1)
order by rollout_id, opened_at desc, chain_id
