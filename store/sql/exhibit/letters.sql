-- The letters about a chain and what has become of each, the oldest first. $1 rollout, $2 chain.
select notice_id as notice, contact, kind, subject, body, about, created_at as written_at, attempts, delivered, refused,
       problem, sent_at, refused_at, case when state = 'waiting' then next_try_at end as next_try_at, state
from notice
where (rollout_id, chain_id) = ($1, $2)
order by created_at, notice_id, contact
