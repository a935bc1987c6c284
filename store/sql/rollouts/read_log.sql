-- $1 rollout, $2 chain (NULL: the newest).
select entry::text as entry
from decision_log
where rollout_id = $1
  and chain_id = coalesce($2, (select chain_id from rollout where rollout_id = $1 order by opened_at desc limit 1))
order by sequence
