-- Nobody counts any more on what is over: the troubles of workflows end with their rollouts. That one was set back, and a
-- history that does not go together with an earlier one, stay alarms. $1 the troubles that end.
update workflow_alarm a
set over_at = now()
from rollout r
where (a.rollout_id, a.chain_id) = (r.rollout_id, r.chain_id) and not r.open and a.over_at is null
  and a.trouble = any ($1::text[])
