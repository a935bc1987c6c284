-- Claims approved or paid of requests that are not approved. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format(
        'request %s is %s', r.request_id,
        case when greatest(r.decided_at, r.decided_known_at) <= $1 then r.decision else 'not decided' end
    ) as found,
    'an approved request' as expected
from mdf_claim_as_of($1::timestamptz) c
join mdf_request_as_of($1) r using (request_id)
where coalesce(r.decision <> 'approved' or greatest(r.decided_at, r.decided_known_at) > $1, true)
  and (greatest(c.paid_at, c.paid_known_at) <= $1
       or c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $1
          and coalesce(greatest(c.withdrawn_at, c.withdrawn_known_at) > $1, true))
