-- A column each, side by side. The digest names the content, so a second write of the same digest has nothing to add.
insert into evidence (rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body)
select rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::jsonb[])
     as kept (rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body)
on conflict do nothing
