-- $1 rollouts and $2 chains, side by side.
select rollout_id, chain_id, seed
from watch_seed
join unnest($1::text[], $2::text[]) as asked (rollout_id, chain_id) using (rollout_id, chain_id)
