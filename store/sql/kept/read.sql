-- $1 rollout, $2 chain, $3 entries.
select path, sha256, content
from kept_document
where (rollout_id, chain_id, entries) = ($1, $2, $3)
order by path
