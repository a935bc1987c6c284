-- $1 digest or the beginning of one, with LIKE's signs escaped; $2 rollout (NULL: any), $3 chain. The newest of several.
select rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, recorded_at, body::text as body
from evidence
where digest like $1 || '%' and ($2::text is null or (rollout_id, chain_id) = ($2, $3))
order by recorded_at desc
limit 1
