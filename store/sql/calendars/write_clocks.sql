-- Keeps what deadlines were reckoned from. $1 when.
insert into lead_clock as old (
    source_system, source_id, partner_id, class, assigned_at, policy_version, accept_due_at, accept_counts,
    contact_due_at, contact_counts, pauses, pause_limit, calendar_id, reckoned_at
)
select
    s.source_system, s.source_id, s.partner_id, s.class, s.assigned_at, r.policy_version, r.accept_due_at,
    r.accept_counts, r.contact_due_at, r.contact_counts, r.pauses, r.pause_limit, r.calendar_id, $1
from lead_reckoned r
join intake_staged s using (line)
on conflict (source_system, source_id) do update
set (partner_id, class, assigned_at, policy_version, accept_due_at, accept_counts, contact_due_at, contact_counts,
     pauses, pause_limit, calendar_id, reckoned_at)
  = (excluded.partner_id, excluded.class, excluded.assigned_at, excluded.policy_version, excluded.accept_due_at,
     excluded.accept_counts, excluded.contact_due_at, excluded.contact_counts, excluded.pauses,
     excluded.pause_limit, excluded.calendar_id, excluded.reckoned_at)
