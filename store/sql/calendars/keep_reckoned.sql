-- A lead that is the same assignment as before keeps its deadlines, whatever calendars and policies say by now.
insert into lead_kept (line, policy_version, accept_due_at, contact_due_at)
select s.line, l.policy_version, l.accept_due_at, l.contact_due_at
from intake_staged s
join lead_clock c using (source_system, source_id)
join lead l using (source_system, source_id)
where s.accept_due_at is null and s.contact_due_at is null
  and c.partner_id = s.partner_id and c.assigned_at = s.assigned_at and c.class is not distinct from s.class
  and (s.policy_version is null or s.policy_version = c.policy_version)
