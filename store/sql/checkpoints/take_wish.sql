-- The oldest wish for a chain that nobody else has in hand: the chain is locked first, as whoever records does it too, so
-- that the two never wait for one another.
with taken as (
    select w.rollout_id, w.chain_id
    from log_checkpoint_wish w
    join rollout r using (rollout_id, chain_id)
    order by w.wished_at
    limit 1
    for no key update of r skip locked
)
delete from log_checkpoint_wish w
using taken t
where (w.rollout_id, w.chain_id) = (t.rollout_id, t.chain_id)
returning w.rollout_id, w.chain_id, w.because
