-- $1 rollouts, $2 chains, $3 since, $4 before, side by side; $5 metrics: of each cohort and metric the value of each day's
-- last look that had evidence, the oldest first. What was looked at more often than once a day must not count for more.
select rollout_id, chain_id, cohort, metric, array_agg(as_of order by as_of) as moments,
       array_agg(value order by as_of) as found
from (
    select distinct on (rollout_id, chain_id, cohort, metric, (as_of at time zone 'UTC')::date) *
    from judged_reading
    join unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
        as asked (rollout_id, chain_id, since, before) using (rollout_id, chain_id)
    where as_of >= since and as_of < before and metric = any ($5::text[])
      and value is not null and verdict <> 'no evidence'
    order by rollout_id, chain_id, cohort, metric, (as_of at time zone 'UTC')::date, as_of desc
) as of_a_day
group by rollout_id, chain_id, cohort, metric
