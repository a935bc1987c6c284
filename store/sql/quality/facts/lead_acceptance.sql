-- The leads of some partners that were accepted too late, or not at all. Arguments as of lead_follow_up_sla.sql.
select partner_id, fact
from (
    select l.partner_id, 'lead ' || l.source_id as fact,
           row_number() over (partition by l.partner_id order by l.accept_due_at, l.source_id) as place
    from lead_as_of($3::timestamptz) l
    where l.partner_id = any ($1::text[]) and l.assigned_at >= $2::timestamptz and l.assigned_at < $3
      and l.accept_due_at < $3
      and not coalesce(greatest(l.excluded_at, l.excluded_known_at) <= $3, false)
      and not coalesce(greatest(l.reassigned_at, l.reassigned_known_at) <= least($3, l.accept_due_at), false)
      and not exists (
          select from (
              values (l.accepted_at, l.accepted_known_at), (l.rejected_at, l.rejected_known_at),
                     (l.first_contact_at, l.first_contact_known_at)
          ) as word (at, known_at)
          where word.at <= l.accept_due_at and greatest(word.at, word.known_at) <= $3
      )
) as missed
where place <= $4::int
order by partner_id, place
