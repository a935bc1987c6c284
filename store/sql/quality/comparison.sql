-- The partners to compare a rollout's cohorts with: $3 the control cohort's name or, where the plan has none (NULL),
-- whoever of its cohorts is not enrolled by $4. $1 rollout, $2 chain, $5 cohorts that are being measured themselves.
select member.partner_id
from rollout_cohort c
cross join unnest(c.partners) as member (partner_id)
where (c.rollout_id, c.chain_id) = ($1, $2)
  and c.name <> all ($5::text[])
  and case when $3::text is not null then c.name = $3 else not exists (
      select from enrolment e
      where (e.rollout_id, e.chain_id, e.partner_id) = ($1, $2, member.partner_id)
        and e.enrolled_at <= $4 and (e.withdrawn_at is null or e.withdrawn_at > $4)
  ) end
order by member.partner_id
