-- The open rollouts among these, or all. $1 rollout ids; NULL: all. With whatever alarms stand for them.
select r.rollout_id, r.chain_id,
       exists (
           select from workflow_alarm a
           where (a.rollout_id, a.chain_id) = (r.rollout_id, r.chain_id) and a.over_at is null
       ) as alarmed
from rollout r
where r.open and ($1::text[] is null or r.rollout_id = any ($1))
order by r.opened_at, r.chain_id
