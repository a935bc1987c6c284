-- Claims approved for more than was claimed. $1 as of.
select
    c.source_system, c.source_id, c.partner_id,
    format('approved %s %s', trim_scale(c.approved_amount), c.currency) as found,
    format('at most %s, as claimed', trim_scale(c.claimed_amount)) as expected
from mdf_claim_as_of($1::timestamptz) c
where c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $1
  and c.approved_amount > c.claimed_amount
