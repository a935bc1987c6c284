select number, size, because, at, note, vkey, edge
from log_checkpoint
where (rollout_id, chain_id) = ($1, $2)
order by number desc
limit 1
