-- The leads of some partners that were late or are overdue, as the metric counts them. $1 partner ids, $2 window start,
-- $3 as of, $4 of a partner.
select partner_id, fact
from (
    select l.partner_id, 'lead ' || l.source_id as fact,
           row_number() over (partition by l.partner_id order by l.contact_due_at, l.source_id) as place
    from lead_as_of($3::timestamptz) l
    where l.partner_id = any ($1::text[]) and l.assigned_at >= $2::timestamptz and l.assigned_at < $3
      and l.contact_due_at < $3
      and not coalesce(greatest(l.excluded_at, l.excluded_known_at) <= $3, false)
      and not coalesce(greatest(l.reassigned_at, l.reassigned_known_at) <= least($3, l.contact_due_at), false)
      and not coalesce(
          l.first_contact_at <= l.contact_due_at
          and greatest(l.first_contact_at, l.first_contact_known_at) <= $3, false)
      -- Turned down in time and not called it waits for the vendor.
      and not coalesce(
          l.rejected_at <= l.contact_due_at and greatest(l.rejected_at, l.rejected_known_at) <= $3
          and not coalesce(greatest(l.first_contact_at, l.first_contact_known_at) <= $3, false), false)
) as missed
where place <= $4::int
order by partner_id, place
