-- The checkpoints of a chain, the first one first. $1 rollout, $2 chain.
select number, size, note, vkey
from log_checkpoint
where (rollout_id, chain_id) = ($1, $2)
order by number
