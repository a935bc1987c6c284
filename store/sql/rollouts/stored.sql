-- Rollouts as they are stored, what is JSON as text, and beside each what the watch saw of it last. store/rollouts.py says
-- which ones.
select r.rollout_id, r.chain_id, r.plan::text as plan, r.plan_digest, r.real_start, r.programme_start, r.speed, r.decisions,
       r.phase, r.wave, r.status, r.sentence, r.since, r.open, r.watched::text as watched, r.tolerance_since,
       r.baselines::text as baselines, r.awaited::text as awaited, r.next, r.delegations::text as delegations,
       r.opened_at, r.updated_at, mark.evaluated_at, mark.told_at, mark.breached, mark.picture
from rollout r
left join watch_mark mark using (rollout_id, chain_id)
