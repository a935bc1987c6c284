-- $1 rollout, $2 chain, $3 since, $4 before: the readings that count, the oldest first.
select cohort, metric, as_of, beyond
from judged_reading
where (rollout_id, chain_id) = ($1, $2) and as_of >= $3 and as_of < $4 and beyond is not null
order by as_of
