-- Claims approved or paid that came after the last day of their fund, and that nobody let pass. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format('handed in on %s', (c.submitted_at at time zone 'UTC')::date) as found,
    format('by %s, or who let it pass', b.claim_deadline) as expected
from mdf_claim_as_of($1::timestamptz) c
join mdf_request_as_of($1) r using (request_id)
join mdf_allocation_as_of($1) a using (allocation_id)
join mdf_budget_as_of($1) b using (budget_id)
where c.submitted_at >= (b.claim_deadline + 1)::timestamp at time zone 'UTC' and c.late_waived_by is null
  and (greatest(c.paid_at, c.paid_known_at) <= $1
       or c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $1
          and coalesce(greatest(c.withdrawn_at, c.withdrawn_known_at) > $1, true))
