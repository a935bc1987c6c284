-- What a rollout `r` is as it is stored, besides its names; what is JSON as text.
r.plan::text as plan, r.plan_digest, r.real_start, r.programme_start, r.speed, r.decisions, r.short_words, r.phase, r.wave,
r.status, r.sentence, r.since, r.open, r.watched::text as watched, r.tolerance_since, r.baselines::text as baselines,
r.awaited::text as awaited, r.next, r.delegations::text as delegations, r.opened_at, r.updated_at
