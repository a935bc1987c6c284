-- $1 rollout, $2 chain, $3 seed. The one that was kept first stays; it is the answer.
with kept as (
    insert into watch_seed (rollout_id, chain_id, seed) values ($1, $2, $3)
    on conflict do nothing
    returning seed
)
select seed from kept
union all
select seed from watch_seed where (rollout_id, chain_id) = ($1, $2)
limit 1
