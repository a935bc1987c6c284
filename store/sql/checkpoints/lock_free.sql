-- The same for who has time: a chain that somebody else works on is passed over.
select 1 from rollout where (rollout_id, chain_id) = ($1, $2) for no key update skip locked
