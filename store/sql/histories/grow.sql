-- A run that is under way has grown. A closed one is refused by a trigger.
update exported_history
set position = $5, continued_from = $6, reset_from = $7, first_event = $8, last_event = $9, closed = $10, size = $11,
    sha256 = $12, history = $13, exported_at = now()
where (rollout_id, chain_id, run_id, version) = ($1, $2, $3, $4)
