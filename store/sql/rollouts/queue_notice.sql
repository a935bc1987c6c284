-- What is queued already stays as it is.
insert into notice (notice_id, contact, rollout_id, chain_id, kind, subject, body)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
