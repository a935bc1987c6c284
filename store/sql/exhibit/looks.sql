-- The looks of a chain at its metrics up to a moment of the programme, the oldest first. $1 rollout, $2 chain, $3 up to.
select cohort, metric, as_of, verdict, beyond, snapshot_digest
from judged_reading
where (rollout_id, chain_id) = ($1, $2) and as_of <= $3
order by as_of, cohort, metric
