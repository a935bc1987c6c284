-- What is queued already stays as it is. $8 what the notice says of itself; where the rollout stands is what its
-- record says, which is written in the same transaction.
insert into notice (notice_id, contact, rollout_id, chain_id, kind, subject, body, about)
select $1, $2, rollout_id, chain_id, $5, $6, $7,
       jsonb_build_object(
           'title', plan ->> 'title', 'plan_digest', plan_digest, 'status', status, 'phase', phase, 'wave', wave
       ) || $8::jsonb
from rollout
where (rollout_id, chain_id) = ($3, $4)
on conflict do nothing
