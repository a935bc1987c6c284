-- The log has gone on, and the rollout stands where it stood.
update rollout set sequence = $3, updated_at = now()
where (rollout_id, chain_id) = ($1, $2) and sequence <= $3
