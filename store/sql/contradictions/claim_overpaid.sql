-- Claims paid above what was due: the lower of what was approved, and of what was claimed less the request's co-pay, as
-- spend counts them. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format('paid %s %s', trim_scale(c.paid_amount), c.currency) as found,
    format('at most %s', trim_scale(owed.due)) as expected
from mdf_claim_as_of($1::timestamptz) c
left join mdf_request_as_of($1) r using (request_id)
cross join lateral (
    select least(
        case when c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $1
             then c.approved_amount::numeric end,
        c.claimed_amount * (1 - coalesce(r.copay_share, 0))
    ) as due
) as owed
where greatest(c.paid_at, c.paid_known_at) <= $1 and c.paid_amount > owed.due
