-- $1 rollout, $2 chain. Estimates of changes with their intervals, as the assessments of a rollout had them.
select item ->> 'cohort' as cohort, item ->> 'metric' as metric, e.as_of,
       (item #>> '{change,estimate}')::float as estimate, (item #>> '{change,interval,0}')::float as low,
       (item #>> '{change,interval,1}')::float as high
from evidence e, jsonb_array_elements(e.body -> 'items') as item
where (e.rollout_id, e.chain_id, e.kind) = ($1, $2, 'assessment') and item #>> '{change,estimate}' is not null
order by e.as_of
