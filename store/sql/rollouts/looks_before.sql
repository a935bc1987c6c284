-- What earlier looks said, the oldest first: a row for each cohort and metric of how each was judged, and one as
-- earlier_values.sql has it. $1 rollouts, $2 chains, $3 since, $4 before, $5 since when values are wanted, side by side; $6
-- the metrics.
with asked as (
    select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
        as asked (rollout_id, chain_id, since, before, values_since)
)
select rollout_id, chain_id, cohort, metric, array_agg(as_of order by as_of) as moments,
       array_agg(verdict order by as_of) as verdicts, array_agg(beyond order by as_of) as beyond, null::float8[] as found
from judged_reading
join asked using (rollout_id, chain_id)
where as_of >= since and as_of < before and metric = any ($6::text[])
group by rollout_id, chain_id, cohort, metric
union all
select rollout_id, chain_id, cohort, metric, array_agg(as_of order by as_of), null, null, array_agg(value order by as_of)
from (
    select distinct on (rollout_id, chain_id, cohort, metric, (as_of at time zone 'UTC')::date) *
    from judged_reading
    join asked using (rollout_id, chain_id)
    where as_of >= values_since and as_of < before and metric = any ($6::text[])
      and value is not null and verdict <> 'no evidence'
    order by rollout_id, chain_id, cohort, metric, (as_of at time zone 'UTC')::date, as_of desc
) as of_a_day
group by rollout_id, chain_id, cohort, metric
