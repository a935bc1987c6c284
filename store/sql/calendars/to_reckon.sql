-- Staged leads of known partners whose source gives no deadline and that have none yet.
select s.line, s.partner_id, s.class, s.assigned_at, s.policy_version
from intake_staged s
where s.accept_due_at is null and s.contact_due_at is null
  and exists (select from partner p where p.partner_id = s.partner_id)
  and not exists (select from lead_kept k where k.line = s.line)
