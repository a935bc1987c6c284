-- What the watch saw last beside each of some rollouts; store/rollouts.py fills them in.
select stored.*, mark.evaluated_at, mark.told_at, mark.breached, mark.picture
from (:stored) as stored
left join watch_mark mark using (rollout_id, chain_id)
