-- $1 rollout, or NULL for all of them; $2 states, or NULL; $3 at most. The newest first.
select notice_id, contact, rollout_id, chain_id, kind, subject, created_at, attempts, delivered, refused, problem,
       next_try_at, sent_at, refused_at, state
from notice
where ($1::text is null or rollout_id = $1) and ($2::text[] is null or state = any ($2))
order by created_at desc, notice_id, contact
limit $3
