-- $1 notice, $2 contact. The lock lasts as long as the delivery: nobody else delivers the letter meanwhile, and it
-- goes with the connection when the process dies.
select notice_id, contact, rollout_id, chain_id, kind, subject, body, about, created_at, attempts, delivered, refused
from notice
where notice_id = $1 and contact = $2 and sent_at is null and refused_at is null
for update skip locked
