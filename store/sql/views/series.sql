-- $1 rollout, $2 chain, $3 how many at most of each cohort and metric. Values over programme time as they were judged,
-- the newest of each stretch where there are more.
with numbered as (
    select cohort, metric, as_of, value, verdict,
           row_number() over (partition by cohort, metric order by as_of) as number,
           count(*) over (partition by cohort, metric) as total
    from judged_reading
    where (rollout_id, chain_id) = ($1, $2)
)
select cohort, metric, as_of, value, verdict
from numbered
where total <= $3 or number = total or number * $3 / total <> (number + 1) * $3 / total
order by cohort, metric, as_of
