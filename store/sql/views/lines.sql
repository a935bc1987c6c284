-- Rollouts as lists show them, of those that are `listed` (`listed.sql`): what is counted of each is not counted of all
-- that come before it.
select r.rollout_id, r.chain_id, r.plan ->> 'title' as title, r.plan ->> 'chosen' as option,
       jsonb_array_length(coalesce(r.plan #> '{cohorts,waves}', '[]')) as waves,
       r.plan_digest, r.real_start, r.programme_start, r.speed, r.phase, r.wave, r.status, r.sentence, r.since, r.next,
       r.awaited::text as awaited, r.delegations::text as delegations, r.open, r.sequence, r.opened_at, r.updated_at,
       (select count(*) from enrolment e where (e.rollout_id, e.chain_id) = (r.rollout_id, r.chain_id)
                                           and e.withdrawn_at is null) as enrolled,
       (select coalesce(sum(cardinality(c.partners)), 0) from rollout_cohort c
        where (c.rollout_id, c.chain_id) = (r.rollout_id, r.chain_id)
          and c.name is distinct from r.plan #>> '{cohorts,control,name}') as planned
from listed
join rollout r using (rollout_id, chain_id)
order by r.opened_at desc, r.rollout_id, r.chain_id
