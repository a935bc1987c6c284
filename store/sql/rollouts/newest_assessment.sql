-- $1 rollout. Of its newest chain the newest assessment, a rollout's own before those of the watch. It is found by what is
-- short, and unpacked alone.
select e.body::text as body
from (
    select rollout_id, chain_id, digest
    from evidence
    where kind = 'assessment' and rollout_id = $1
      and chain_id = (select chain_id from rollout where rollout_id = $1 order by opened_at desc limit 1)
    order by purpose = 'watch', as_of desc, recorded_at desc
    limit 1
) newest
join evidence e using (rollout_id, chain_id, digest)
