-- Contacts of leads whose partner has a calendar, as they stand. $1 source systems, $2 lead ids, $3 this moment.
select
    l.source_system, l.source_id, l.partner_id, l.assigned_at, l.first_contact_at,
    coalesce(c.calendar_id, p.calendar_id) as calendar_id, coalesce(c.reckoned_at, $3::timestamptz) as reckoned_at,
    coalesce(c.pauses, '{}') as pauses
from lead l
join unnest($1::text[], $2::text[]) as one (source_system, source_id) using (source_system, source_id)
join partner p on p.partner_id = l.partner_id
left join lead_clock c on c.source_system = l.source_system and c.source_id = l.source_id
where l.first_contact_at >= l.assigned_at and (p.calendar_id is not null or c.calendar_id is not null)
