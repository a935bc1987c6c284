-- How many open rollouts have which status, and how many letters wait or were refused for good.
select 'rollout' as what, status as state, count(*) as number from rollout where open group by status
union all
select 'letter', case when refused_at is null then 'waiting' else 'refused' end, count(*)
from notice
where sent_at is null
group by 2
