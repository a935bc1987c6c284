-- $3 the last sequence that is not wanted, $4 how many at most.
select sequence, run_id, entry
from decision_log
where (rollout_id, chain_id) = ($1, $2) and sequence > $3
order by sequence
limit $4
