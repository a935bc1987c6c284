-- The digest names the content, so a second write of the same digest has nothing to add.
insert into evidence (rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
