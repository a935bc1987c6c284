-- Claims paid without a decision, or in spite of it. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format(
        'paid %s %s on %s, and %s', trim_scale(c.paid_amount), c.currency, (c.paid_at at time zone 'UTC')::date,
        case when greatest(c.decided_at, c.decided_known_at) <= $1 then c.decision else 'not decided' end
    ) as found,
    'approved' as expected
from mdf_claim_as_of($1::timestamptz) c
where greatest(c.paid_at, c.paid_known_at) <= $1
  and coalesce(c.decision <> 'approved' or greatest(c.decided_at, c.decided_known_at) > $1, true)
