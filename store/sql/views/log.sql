-- The log of all rollouts, the newest entries first. $1 rollout, $2 kind, $3 part of who with LIKE's signs escaped, $4
-- outcome, $5 words of message or rationale: NULL for any. $6 at most, $7 after so many. $8 verb, $9 since, $10 before
-- (real time), $11 phase, with its waves: NULL for any.
select rollout_id, chain_id, run_id, recorded_at, entry::text as entry
-- Only those of the page are unpacked, none of those before it.
from (
    select l.rollout_id, l.chain_id, l.run_id, l.recorded_at, l.sequence, l.entry
    from decision_log l
    where ($1::text is null or l.rollout_id = $1) and ($2::text is null or l.kind = $2)
      and ($3::text is null or l.actor ilike '%' || $3 || '%') and ($4::text is null or l.outcome = $4)
      and ($5::text is null or l.entry ->> 'message' ilike '%' || $5 || '%' or l.entry ->> 'rationale' ilike '%' || $5 || '%')
      and ($8::text is null or l.entry ->> 'verb' = $8)
      and ($9::timestamptz is null or l.at >= $9) and ($10::timestamptz is null or l.at < $10)
      and ($11::text is null or $11 in (l.entry ->> 'phase', split_part(l.entry ->> 'phase', ' ', 1)))
    order by l.recorded_at desc, l.rollout_id, l.sequence desc
    limit $6 offset $7
) listed
order by recorded_at desc, rollout_id, sequence desc
