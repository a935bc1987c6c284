-- Leads with what their deadlines were reckoned from, held until the transaction ends. $1 source systems, $2 ids.
select
    l.source_system, l.source_id, coalesce(l.amended_at, l.known_at) as stands_since,
    l.accept_due_at as accept_now, l.contact_due_at as contact_now,
    c.assigned_at, c.accept_due_at, c.accept_counts, c.contact_due_at, c.contact_counts, c.pauses, c.pause_limit,
    c.calendar_id, c.partner_id, c.reckoned_at
from lead l
join lead_clock c using (source_system, source_id)
join unnest($1::text[], $2::text[]) as one (source_system, source_id) using (source_system, source_id)
order by l.source_system, l.source_id
for update of l
