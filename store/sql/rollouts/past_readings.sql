-- $1 rollouts, $2 chains, $3 since, $4 before, side by side: the readings that count, the oldest first.
select rollout_id, chain_id, cohort, metric, as_of, beyond
from judged_reading
join unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as asked (rollout_id, chain_id, since, before)
    using (rollout_id, chain_id)
where as_of >= since and as_of < before and beyond is not null
order by rollout_id, chain_id, as_of
