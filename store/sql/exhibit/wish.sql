-- Wishes for a checkpoint because of an export. $1 rollout, $2 chain.
insert into log_checkpoint_wish (rollout_id, chain_id, because)
values ($1, $2, 'export')
on conflict do nothing
