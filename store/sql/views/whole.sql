-- One `line` (`lines.sql`) with its plan as text, and its cohorts as frozen, in their order, with how many of each are
-- enrolled now.
select line.*, r.plan::text as plan,
       (select coalesce(json_agg(json_build_object('name', c.name, 'partners', cardinality(c.partners), 'enrolled', (
                   select count(*) from enrolment e
                   where (e.rollout_id, e.chain_id, e.cohort) = (c.rollout_id, c.chain_id, c.name)
                     and e.withdrawn_at is null)) order by c.position), '[]')
        from rollout_cohort c
        where (c.rollout_id, c.chain_id) = (line.rollout_id, line.chain_id))::text as scope
from line
join rollout r using (rollout_id, chain_id)
