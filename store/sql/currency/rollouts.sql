-- How many rollouts are over, and the names of those that are open.
select
    count(*) filter (where not open) as over,
    coalesce(array_agg(distinct rollout_id order by rollout_id) filter (where open), '{}') as open
from rollout
