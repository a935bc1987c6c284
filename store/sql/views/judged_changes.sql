-- $1 rollout, $2 chain. Every look at a metric that is judged by its change, as the assessments of a rollout had it: the
-- verdict on the change by itself, and what it rests on.
select item ->> 'cohort' as cohort, item ->> 'metric' as metric, e.as_of, item ->> 'by_change' as verdict,
       nullif(item -> 'change', 'null')::text as change
from evidence e, jsonb_array_elements(e.body -> 'items') as item
where (e.rollout_id, e.chain_id, e.kind) = ($1, $2, 'assessment') and item ->> 'by_change' is not null
order by e.as_of, e.digest, cohort, metric
