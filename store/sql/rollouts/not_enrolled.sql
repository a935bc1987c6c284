-- $1 rollout, $2 chain, $3 cohort, $4 partner ids; those that are not enrolled as members of the cohort.
select distinct id
from unnest($4::text[]) as id
where not exists (
    select from enrolment
    where (rollout_id, chain_id, cohort, partner_id) = ($1, $2, $3, id) and withdrawn_at is null
)
order by id
