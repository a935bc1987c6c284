-- $1 rollout, $2 chain, $3 cohort, $4 at.
update enrolment
set withdrawn_at = greatest($4::timestamptz, enrolled_at)
where (rollout_id, chain_id, cohort) = ($1, $2, $3) and withdrawn_at is null
returning partner_id
