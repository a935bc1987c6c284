insert into watch_mark (rollout_id, chain_id, evaluated_at, told_at, signature, breached)
values ($1, $2, $3, $4, $5, $6)
on conflict (rollout_id, chain_id) do update
set evaluated_at = $3, told_at = $4, signature = $5, breached = $6
