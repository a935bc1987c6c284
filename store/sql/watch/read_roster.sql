-- Open rollouts and whom they watch, without the bulk of their plans. $1 rollout ids; NULL: all.
select r.rollout_id, r.chain_id, r.real_start, r.programme_start, r.speed,
       r.plan #>> '{phases,cadence}' as cadence,
       jsonb_path_query_array(r.plan, '$.metrics[*].metric') as metrics,
       array(
           select distinct partner
           from jsonb_array_elements(r.watched) as cohort, jsonb_array_elements_text(cohort -> 'partners') as partner
       ) as partners,
       mark.evaluated_at
from rollout r
left join watch_mark mark using (rollout_id, chain_id)
where r.open and ($1::text[] is null or r.rollout_id = any ($1))
order by r.opened_at, r.chain_id
