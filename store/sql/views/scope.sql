-- $1 rollouts, $2 their chains: each cohort as frozen, in its order, and how many of it are enrolled now.
select c.rollout_id, c.chain_id, c.name, cardinality(c.partners) as partners,
       (select count(*) from enrolment e where (e.rollout_id, e.chain_id, e.cohort) = (c.rollout_id, c.chain_id, c.name)
                                           and e.withdrawn_at is null) as enrolled
from rollout_cohort c
join unnest($1::text[], $2::text[]) as asked (rollout_id, chain_id) using (rollout_id, chain_id)
order by c.rollout_id, c.chain_id, c.position
