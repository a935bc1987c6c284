-- How many entries of a chain no checkpoint covers yet.
select count(*)
from decision_log
where (rollout_id, chain_id) = ($1, $2)
  and sequence > coalesce(
      (
          select size from log_checkpoint
          where (rollout_id, chain_id) = ($1, $2)
          order by number desc
          limit 1
      ),
      0
  )
