-- How many open rollouts have which status, how many letters wait or were refused for good, and
-- how many alarms stand about which trouble.
select 'rollout' as what, status as state, count(*) as number from rollout where open group by status
union all
select 'alarm', trouble, count(*) from workflow_alarm where over_at is null group by trouble
union all
select 'letter', state, count(*) from notice where sent_at is null group by state
