-- $1 rollouts, $2 chains, $3 moments, side by side: when each cohort was first enrolled, as of the moment; and when the
-- baselines were measured, with a NULL cohort: of who enrols nobody that is where a change begins.
with asked as (
    select * from unnest($1::text[], $2::text[], $3::timestamptz[]) as one (rollout_id, chain_id, as_of)
)
select asked.rollout_id, asked.chain_id, e.cohort, min(e.enrolled_at) as since
from asked
join enrolment e using (rollout_id, chain_id)
where e.enrolled_at <= asked.as_of
group by asked.rollout_id, asked.chain_id, e.cohort
union all
select asked.rollout_id, asked.chain_id, null, max(e.as_of)
from asked
join evidence e using (rollout_id, chain_id)
where e.kind = 'snapshot' and e.purpose = 'baseline' and e.as_of <= asked.as_of
group by asked.rollout_id, asked.chain_id
