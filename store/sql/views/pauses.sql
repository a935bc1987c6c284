-- $1 person (lower case), $2 the same person as [{issuer, subject}] or NULL. Of open rollouts in which they have a part
-- what the log tells of pauses: that it paused, went on or stops, and what was said of it in hindsight. Whether the part
-- is really theirs is for whoever asks.
select r.rollout_id, r.chain_id, jsonb_agg(l.entry order by l.sequence)::text as entries
from rollout r
join decision_log l using (rollout_id, chain_id)
where r.open
  and (exists (select from jsonb_array_elements(r.plan -> 'owners') o
               where lower(o ->> 'identity') = $1 or o @> ($2::jsonb -> 0))
       or exists (select from jsonb_array_elements(r.delegations) d
                  where lower(d ->> 'identity') = $1 or d @> ($2::jsonb -> 0)))
  and (l.kind in ('pause', 'resume', 'stop') or (l.kind = 'review' and l.entry ->> 'verb' = 'judge_pause'))
group by r.rollout_id, r.chain_id
having bool_or(l.kind = 'pause')
order by r.rollout_id, r.chain_id
