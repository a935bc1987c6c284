-- Requests approved for more than was asked. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    format('approved %s %s', trim_scale(r.approved_amount), r.currency) as found,
    format('at most %s, as asked', trim_scale(r.requested_amount)) as expected
from mdf_request_as_of($1::timestamptz) r
where r.decision = 'approved' and greatest(r.decided_at, r.decided_known_at) <= $1
  and r.approved_amount > r.requested_amount
