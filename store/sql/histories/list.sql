-- The runs of a chain in their order. $1 rollout, $2 chain.
select run_id, version, position, continued_from, reset_from, first_event, last_event, closed, size, sha256,
       exported_at
from exported_history
where (rollout_id, chain_id) = ($1, $2)
order by position, exported_at, run_id, version
