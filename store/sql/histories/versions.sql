-- The versions of a run with what they hold, the newest first. $1 rollout, $2 chain, $3 run.
select version, position, last_event, closed, sha256, history
from exported_history
where (rollout_id, chain_id, run_id) = ($1, $2, $3)
order by version desc
