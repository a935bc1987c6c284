insert into exported_history (rollout_id, chain_id, run_id, version, position, continued_from, reset_from, first_event,
                              last_event, closed, size, sha256, history)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
