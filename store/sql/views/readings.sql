-- $1 rollout, $2 chain. Every look at every metric of every cohort, as it was judged by itself.
select cohort, metric, as_of, value, verdict, beyond
from judged_reading
where (rollout_id, chain_id) = ($1, $2)
order by cohort, metric, as_of
