-- The largest claims of some partners that are paid or approved, those of the window first. Arguments as of leads.
select partner_id, fact
from (
    select c.partner_id, 'claim ' || c.source_id as fact,
           row_number() over (
               partition by c.partner_id
               order by coalesce(c.paid_at, c.decided_at) >= $2::timestamptz desc,
                        coalesce(c.paid_amount, c.approved_amount) desc nulls last, c.source_id
           ) as place
    from mdf_claim_as_of($3::timestamptz) c
    where c.partner_id = any ($1::text[])
      and (greatest(c.paid_at, c.paid_known_at) <= $3
           or (c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $3))
) as spent
where place <= $4::int
order by partner_id, place
