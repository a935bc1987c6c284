-- What a rollout judges a snapshot of its own with: $1 rollout, $2 chain, $3 the snapshot's digest, $4 only if it was
-- measured for that (NULL: whatever for), $5 since when breaches count, $6 with its body. No row for an unknown rollout,
-- no as_of for an unknown snapshot; the looks before it in columns side by side, the oldest first.
select r.plan::text as plan, case when $6 then kept.body::text end as body, kept.as_of, past.cohorts, past.metrics, past.moments, past.verdicts, past.beyond
from rollout r
left join evidence kept
    on (kept.rollout_id, kept.chain_id, kept.digest, kept.kind) = (r.rollout_id, r.chain_id, $3, 'snapshot')
    and kept.purpose = coalesce($4, kept.purpose)
left join lateral (
    select array_agg(cohort order by as_of) as cohorts, array_agg(metric order by as_of) as metrics,
           array_agg(as_of order by as_of) as moments, array_agg(verdict order by as_of) as verdicts,
           array_agg(beyond order by as_of) as beyond
    from judged_reading
    where rollout_id = r.rollout_id and chain_id = r.chain_id and as_of >= $5::timestamptz and as_of < kept.as_of
) as past on true
where r.rollout_id = $1 and r.chain_id = $2
