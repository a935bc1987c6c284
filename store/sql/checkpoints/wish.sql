insert into log_checkpoint_wish (rollout_id, chain_id, because)
values ($1, $2, $3)
on conflict do nothing
