-- The log of all rollouts, the newest entries first. $1 rollout, $2 kind, $3 part of who with LIKE's signs escaped, $4
-- outcome, $5 words of message or rationale: NULL for any. $6 at most, $7 after so many.
select l.rollout_id, l.chain_id, l.run_id, l.recorded_at, l.entry
from decision_log l
where ($1::text is null or l.rollout_id = $1) and ($2::text is null or l.kind = $2)
  and ($3::text is null or l.actor ilike '%' || $3 || '%') and ($4::text is null or l.outcome = $4)
  and ($5::text is null or l.entry ->> 'message' ilike '%' || $5 || '%' or l.entry ->> 'rationale' ilike '%' || $5 || '%')
order by l.recorded_at desc, l.rollout_id, l.sequence desc
limit $6 offset $7
