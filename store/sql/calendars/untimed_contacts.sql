-- Staged leads with a contact that nobody has timed yet, of partners with a calendar.
select s.source_system, s.source_id
from intake_staged s
join partner p on p.partner_id = s.partner_id
where p.calendar_id is not null and s.first_contact_at >= s.assigned_at
  and not exists (
      select from lead_contact_time t
      where t.source_system = s.source_system and t.source_id = s.source_id and t.partner_id = s.partner_id
        and t.assigned_at = s.assigned_at and t.first_contact_at = s.first_contact_at
  )
