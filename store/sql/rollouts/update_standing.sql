-- Keep the newest standing: an older write that comes late changes nothing.
update rollout
set phase = $3, wave = $4, status = $5, sentence = $6, since = $7, open = $8, watched = $9, tolerance_since = $10,
    baselines = $11, sequence = $12, awaited = $13, awaits = $14, next = $15, delegations = $16, updated_at = now()
where (rollout_id, chain_id) = ($1, $2) and sequence <= $12
