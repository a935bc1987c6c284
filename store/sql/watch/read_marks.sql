-- $1 rollouts and $2 chains, side by side.
select mark.rollout_id, mark.chain_id, evaluated_at, told_at, breached, picture
from watch_mark mark
join unnest($1::text[], $2::text[]) as asked (rollout_id, chain_id) using (rollout_id, chain_id)
