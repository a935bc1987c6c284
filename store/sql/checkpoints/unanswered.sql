-- Whether nobody answers wishes: one has stood for more than $1 seconds, or there are some and nothing was ever signed here,
-- which whoever has the key does with the first turn of a rollout.
select exists (select from log_checkpoint_wish where wished_at < now() - make_interval(secs => $1))
    or (exists (select from log_checkpoint_wish) and not exists (select from log_checkpoint))
