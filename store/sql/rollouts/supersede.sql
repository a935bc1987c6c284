-- $1 rollout, $2 chain. A workflow id has one chain at a time: when one opens, earlier ones have ended without saying so.
update rollout
set open = false, sentence = 'superseded by a later start of the same plan', watched = '[]', updated_at = now()
where rollout_id = $1 and chain_id <> $2 and open
  and opened_at < (select opened_at from rollout where rollout_id = $1 and chain_id = $2)
