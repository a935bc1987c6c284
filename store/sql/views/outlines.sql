-- $1 rollouts, $2 their chains: of each plan what lists need of it (`models/outline.py`).
with asked as materialized (
    -- Put together anew, a plan is unpacked once here and not for each of its parts.
    select r.rollout_id, r.chain_id, r.plan || '{}' as plan
    from rollout r
    join unnest($1::text[], $2::text[]) as asked (rollout_id, chain_id) using (rollout_id, chain_id)
)
select rollout_id, chain_id,
       jsonb_build_object(
           'chosen', plan -> 'chosen', 'proposer', plan -> 'proposer', 'owners', plan -> 'owners',
           'cohorts', jsonb_build_object(
               'pilot', jsonb_build_object('name', plan #> '{cohorts,pilot,name}'),
               'waves', (select coalesce(jsonb_agg(jsonb_build_object('name', wave -> 'name') order by place), '[]')
                         from jsonb_array_elements(coalesce(plan #> '{cohorts,waves}', '[]'))
                              with ordinality as w (wave, place))
           )
       )::text as outline
from asked
