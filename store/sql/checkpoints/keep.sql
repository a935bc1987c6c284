insert into log_checkpoint (rollout_id, chain_id, number, size, because, at, note, vkey, edge)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
