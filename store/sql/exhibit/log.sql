-- The log of a chain with the run that wrote each entry, as the leaves of its tree are made of it. $1 rollout, $2 chain.
select sequence, run_id, entry
from decision_log
where (rollout_id, chain_id) = ($1, $2)
order by sequence
