-- The letters about a chain and what has become of each, the oldest first. $1 rollout, $2 chain.
select notice_id as notice, contact, kind, subject, body, about, created_at as written_at, attempts, delivered, refused,
       problem, sent_at, refused_at,
       case when sent_at is null and refused_at is null then next_try_at end as next_try_at,
       case
           when refused_at is not null then 'refused'
           when sent_at is null then 'waiting'
           when cardinality(delivered) = 0 then 'kept'
           else 'sent'
       end as state
from notice
where (rollout_id, chain_id) = ($1, $2)
order by created_at, notice_id, contact
