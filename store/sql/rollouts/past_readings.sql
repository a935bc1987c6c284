-- $1 rollouts, $2 chains, $3 since, $4 before, side by side: the looks, the oldest first.
select rollout_id, chain_id, cohort, metric, as_of, verdict, beyond
from judged_reading
join unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as asked (rollout_id, chain_id, since, before)
    using (rollout_id, chain_id)
where as_of >= since and as_of < before
order by rollout_id, chain_id, as_of
