-- Approved requests whose claims, in their own currency, were paid for more together. $1 as of.
select
    r.source_system, r.source_id, r.partner_id,
    format('paid %s %s', trim_scale(paid.amount), r.currency) as found,
    format('at most %s, as approved', trim_scale(r.approved_amount)) as expected
from mdf_request_as_of($1::timestamptz) r
join (
    select c.request_id, c.currency, sum(c.paid_amount) as amount
    from mdf_claim_as_of($1) c
    where greatest(c.paid_at, c.paid_known_at) <= $1 and c.request_id is not null
    group by c.request_id, c.currency
) as paid using (request_id, currency)
where r.decision = 'approved' and greatest(r.decided_at, r.decided_known_at) <= $1 and paid.amount > r.approved_amount
