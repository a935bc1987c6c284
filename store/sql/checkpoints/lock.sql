-- One writes a checkpoint of a chain at a time. It does not keep entries from being appended.
select 1 from rollout where (rollout_id, chain_id) = ($1, $2) for no key update
