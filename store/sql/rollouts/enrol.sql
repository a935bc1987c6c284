-- $1 rollout, $2 chain, $3 phase, $4 wave, $5 cohort, $6 at, $7 partner ids.
insert into enrolment (rollout_id, chain_id, phase, wave, partner_id, cohort, enrolled_at)
select $1, $2, $3, $4, id, $5, $6
from unnest($7::text[]) as id
on conflict do nothing
returning partner_id
