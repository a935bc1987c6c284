-- Evidence of a chain by its digests, and the snapshots that assessments among it rest on. $1 rollout, $2 chain,
-- $3 digests.
with asked as (
    select digest, kind, purpose, as_of, body from evidence
    where (rollout_id, chain_id) = ($1, $2) and digest = any ($3::text[])
)
select * from asked
union
select e.digest, e.kind, e.purpose, e.as_of, e.body
from evidence e
where (e.rollout_id, e.chain_id) = ($1, $2)
  and e.digest in (select a.body ->> 'snapshot_digest' from asked a where a.kind = 'assessment')
