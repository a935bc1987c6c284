-- Alarms that stand, the oldest first. $1 rollout; NULL: all.
select rollout_id, chain_id, trouble, about, detail, raised_at, over_at
from workflow_alarm
where over_at is null and ($1::text is null or rollout_id = $1)
order by raised_at, rollout_id, trouble
